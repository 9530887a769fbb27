"""Records the golden cases that have no history yet, on an embedded server. See golden/README.md."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import yaml
from temporalio.client import WorkflowFailureError

import fleet
from fleet.server import EmbeddedServer
from fleet.worker.client import connect
from fleet.worker.serve import serve

GOLDEN = Path(__file__).parent / "golden"


async def record(case: Path, address: str) -> None:
    """Run the case and write its history."""
    spec: dict[str, Any] = yaml.safe_load((case / "case.yaml").read_text())
    app = fleet.load_app(case / "app")
    async with serve(app, lambda entry: connect(entry, address=address, plaintext=True)) as serving:
        (worker,) = app.workers.values()
        client = serving.clients[worker.client]
        handle = await client.start_workflow(
            app.workflow_type(spec["workflow"]),
            args=spec.get("args", []),
            id=f"{case.name}-{uuid.uuid4().hex[:6]}",
            task_queue=worker.task_queue,
        )
        try:
            print(case.name, await handle.result())
        except WorkflowFailureError as error:
            print(case.name, "failed:", error.cause)
        history = await handle.fetch_history()
    (case / "history.json").write_text(history.to_json())


async def main() -> None:
    """Record what is missing."""
    missing = [
        case
        for case in sorted(GOLDEN.iterdir())
        if (case / "case.yaml").exists() and not (case / "history.json").exists()
    ]
    async with EmbeddedServer.start() as server:
        for case in missing:
            await record(case, server.address)


asyncio.run(main())
sys.stdout.flush()
os._exit(0)
