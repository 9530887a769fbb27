"""Forms of the log on stderr: readable lines, and JSON for programs."""

from __future__ import annotations

import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson
from rich.text import Text

from .output import stderr

_STYLES = {logging.DEBUG: "dim", logging.INFO: "", logging.WARNING: "yellow", logging.ERROR: "bold red"}
_SDK_IDS = {
    "workflow_id": "workflow_id",
    "workflow_run_id": "run_id",
    "activity_id": "activity_id",
    "activity_type": "entry",
    "attempt": "attempt",
}
_SPEAKER = ("workflow_id", "activity_id", "entry", "run_id", "attempt", "logger", "event", "status")


class Lines(logging.Handler):
    """``12:30:01 WARN  entry workflow-id  text  key=value``."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stderr().print(self._line(record))
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> Text:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "WARN" if record.levelno == logging.WARNING else record.levelname
        fields: dict[str, Any] = getattr(record, "fleet", {})
        line = Text(f"{clock} ", style="dim")
        line.append(f"{level:<5} ", _STYLES.get(record.levelno, ""))
        if fields:
            entry, id = str(fields.get("entry") or ""), str(fields.get("workflow_id") or "")
            line.append(f"{id if id.startswith(entry) else f'{entry} {id}'.strip()}  ", "cyan")
        message, *below = record.getMessage().splitlines() or [""]
        line.append(message, _STYLES.get(record.levelno, ""))
        extra = " ".join(f"{key}={value}" for key, value in fields.items() if key not in _SPEAKER)
        if extra:
            line.append(f"  {extra}", "dim")
        if record.exc_info and record.exc_info[1] is not None and not fields:
            # The words, not the Python frames: the error of a script has its Lua stack in the message.
            below.append(f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}")
        for text in below:
            line.append(f"\n    {text.strip()}", "dim")
        return line


class JsonLines(logging.Handler):
    """One JSON object a line: time (UTC), level, logger, message, and the record's own fields beside them."""

    def __init__(self, **fields: Any) -> None:
        """`fields`: of each line, such as the number of the worker."""
        super().__init__()
        self._fields = fields

    def emit(self, record: logging.LogRecord) -> None:
        """See base class."""
        try:
            sys.stderr.write(self._line(record))
            sys.stderr.flush()
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {
            **_sdk_ids(record),
            **getattr(record, "fleet", {}),
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._fields,
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = "".join(traceback.format_exception(record.exc_info[1]))
        # One write for each line: lines of several processes must not mix.
        return orjson.dumps(fields, default=str, option=orjson.OPT_NON_STR_KEYS).decode(errors="replace") + "\n"


def _sdk_ids(record: logging.LogRecord) -> dict[str, Any]:
    """Whose activity the SDK's own logger speaks of, under the names of our own fields."""
    facts: dict[str, Any] = getattr(record, "temporal_activity", {})
    return {ours: facts[theirs] for theirs, ours in _SDK_IDS.items() if theirs in facts}
