"""Applications of a client and a worker, loaded as every application is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from fleet.registry import App, ClientEntry, WorkerEntry, load_app


def app(directory: Path, client: dict[str, Any] | None = None, options: dict[str, Any] | None = None) -> App:
    """The application ``app`` with ``app:temporal`` (fields ``client``) and ``app:worker`` (``worker_options``)."""
    entries = [
        {"name": "temporal", "kind": "temporal.client", "address": "127.0.0.1:7233", **(client or {})},
        {
            "name": "worker",
            "kind": "temporal.worker",
            "client": "app:temporal",
            "task_queue": "orders",
            "worker_options": options or {},
        },
    ]
    directory.mkdir(exist_ok=True)
    (directory / "_index.yaml").write_text(yaml.safe_dump({"version": "1.0", "namespace": "app", "entries": entries}))
    return load_app(directory)


def client_entry(directory: Path, **fields: Any) -> ClientEntry:
    """``app:temporal`` with ``fields``."""
    return app(directory, client=fields).clients["app:temporal"]


def worker_entry(directory: Path, **options: Any) -> WorkerEntry:
    """``app:worker`` with ``options`` as its ``worker_options``."""
    return app(directory, options=options).workers["app:worker"]
