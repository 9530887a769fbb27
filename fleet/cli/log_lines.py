"""Forms of the log on stderr: readable lines, and JSON for programs. A full disk costs lines, and nothing else."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson
from rich.text import Text

from .output import on_terminal, stderr

_STYLES = {logging.DEBUG: "dim", logging.INFO: "", logging.WARNING: "yellow", logging.ERROR: "bold red"}
_SDK_IDS = {
    "workflow_id": "workflow_id",
    "workflow_run_id": "run_id",
    "activity_id": "activity_id",
    "activity_type": "entry",
    "attempt": "attempt",
}
_SPEAKER = ("workflow_id", "activity_id", "entry", "run_id", "attempt", "logger", "event", "status")


class StderrLines(logging.Handler):
    """Writes each line to stderr at once, or drops it: none waits in a buffer, where a fork would double it.

    How many lines could not be written is said as soon as one can be.
    """

    def __init__(self) -> None:
        super().__init__()
        self._dropped = 0
        self._torn = False
        self._why = ""

    def emit(self, record: logging.LogRecord) -> None:
        """See base class."""
        try:
            text = self.text(record)
            if self._dropped:
                self._write(self.text(self._gap()))
                self._dropped = 0
            self._write(text)
        except OSError as error:
            self._dropped += 1
            self._why = error.strerror or str(error)
        except Exception:
            self.handleError(record)

    def text(self, record: logging.LogRecord) -> str:
        """The lines of a record, with their ends."""
        raise NotImplementedError

    def _gap(self) -> logging.LogRecord:
        text = "%d lines of the log are missing here: %s"
        return logging.LogRecord("fleet.log", logging.WARNING, __file__, 0, text, (self._dropped, self._why), None)

    def _write(self, text: str) -> None:
        data = text.encode(errors="replace")
        if self._torn:
            # The line that the disk had room for in part must not swallow this one.
            data = b"\n" + data
        while data:
            # Whole lines in one call, so that those of several processes do not mix.
            written = os.write(sys.stderr.fileno(), data)
            data = data[written:]
            self._torn = bool(data)


class Lines(StderrLines):
    """``12:30:01 WARN  entry workflow-id  text  key=value``."""

    def emit(self, record: logging.LogRecord) -> None:
        """See base class."""
        if not on_terminal():
            super().emit(record)
            return
        try:
            # By the console, which may be showing something live.
            stderr().print(self._line(record))
        except Exception:
            self.handleError(record)

    def text(self, record: logging.LogRecord) -> str:
        """See base class."""
        with stderr().capture() as captured:
            stderr().print(self._line(record))
        return captured.get()

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


class JsonLines(StderrLines):
    """One JSON object a line: time (UTC), level, logger, message, and the record's own fields beside them."""

    def __init__(self, **fields: Any) -> None:
        """`fields`: of each line, such as the number of the worker."""
        super().__init__()
        self._fields = fields

    def text(self, record: logging.LogRecord) -> str:
        """See base class."""
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
        return orjson.dumps(fields, default=str, option=orjson.OPT_NON_STR_KEYS).decode(errors="replace") + "\n"


def _sdk_ids(record: logging.LogRecord) -> dict[str, Any]:
    """Whose activity the SDK's own logger speaks of, under the names of our own fields."""
    facts: dict[str, Any] = getattr(record, "temporal_activity", {})
    return {ours: facts[theirs] for theirs, ours in _SDK_IDS.items() if theirs in facts}
