"""Histories from files: JSON as the ``temporal`` CLI and the web UI export them, or protobuf."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory

_SUFFIXES = {".json", ".pb", ".bin", ".binpb"}


class HistoryError(Exception):
    """A file that is no workflow history; the text names the file, what is wrong and what to do."""


def history_files(paths: Iterable[str]) -> Iterator[Path]:
    """The files that `paths` stand for; a directory stands for the histories in it. Raises HistoryError."""
    for name in paths:
        path = Path(name)
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
        if not found:
            raise HistoryError(f"{name}: no histories in this directory (files {', '.join(sorted(_SUFFIXES))})")
        yield from found


def read_history(path: Path) -> WorkflowHistory:
    """The history in a file. Raises HistoryError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read: {error.strerror}") from None
    if not data.strip():
        raise HistoryError(f"{path}: the file is empty")
    events = _from_json(path, data) if data.lstrip()[:1] in (b"{", b"[") else _from_protobuf(path, data)
    if not events:
        raise HistoryError(f"{path}: the history has no events")
    if not events[0].HasField("workflow_execution_started_event_attributes"):
        raise HistoryError(
            f"{path}: the first event is not WorkflowExecutionStarted\n"
            "    export the whole history, from its first event on"
        )
    # Servers before 1.20 do not say the id in the event; scripts see it, and the name of the file is the best guess.
    id = events[0].workflow_execution_started_event_attributes.workflow_id or path.stem
    return WorkflowHistory(id, events)


def _from_json(path: Path, data: bytes) -> list[Any]:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise HistoryError(f"{path}: not JSON: {error}") from None
    if isinstance(document, list):
        document = {"events": document}
    if isinstance(document.get("history"), dict):
        document = document["history"]
    if not isinstance(document.get("events"), list):
        raise HistoryError(
            f"{path}: no workflow history: it has no list `events`\n"
            "    `temporal workflow show --output json` and the UI's Download write one"
        )
    if _decoded(document):
        raise HistoryError(
            f"{path}: its payloads are decoded, so a replay would not see what the run saw\n"
            "    download it without decoding, or with `temporal workflow show --output json`"
        )
    try:
        return list(WorkflowHistory.from_json("", document).events)
    except (ParseError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise HistoryError(f"{path}: no workflow history: {error}") from None


def _decoded(value: Any) -> bool:
    """Whether something that should be a list of payloads holds plain values, as the UI can write it."""
    if isinstance(value, list):
        return any(_decoded(item) for item in value)
    if not isinstance(value, dict):
        return False
    payloads = value.get("payloads")
    if isinstance(payloads, list):
        return any(not isinstance(payload, dict) or (payload and "metadata" not in payload) for payload in payloads)
    return any(_decoded(below) for below in value.values())


def _from_protobuf(path: Path, data: bytes) -> list[Any]:
    try:
        return list(History.FromString(data).events)
    except DecodeError:
        raise HistoryError(
            f"{path}: neither JSON nor a protobuf temporal.api.history.v1.History\n"
            "    `temporal workflow show --output json` and the UI's Download write histories"
        ) from None
