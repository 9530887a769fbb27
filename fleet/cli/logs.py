"""What scripts, workers and Temporal's SDK log, as readable lines on stderr."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from rich.text import Text
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from .output import stderr

_STYLES = {logging.DEBUG: "dim", logging.INFO: "", logging.WARNING: "yellow", logging.ERROR: "bold red"}
_CORE_FILTER = TelemetryFilter(core_level="WARN", other_level="ERROR")
_SPEAKER = ("workflow_id", "activity_id", "entry", "run_id", "attempt", "logger")


def show_logs(*, scripts: int = logging.INFO) -> None:
    """Send logging to stderr: what scripts print from level `scripts` on, of everything else the warnings."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Lines()], force=True)
    logging.getLogger("fleet.script").setLevel(scripts)
    logging.getLogger("temporalio.core").addFilter(_readable)
    _default_runtime(LoggingConfig(_CORE_FILTER, forwarding=LogForwardingConfig(logging.getLogger("temporalio.core"))))


def be_quiet() -> None:
    """Let nothing be logged: the command reports what matters itself."""
    logging.disable(logging.CRITICAL)
    _default_runtime(None)


def _readable(record: logging.LogRecord) -> bool:
    """Of core's words about failed workflow tasks keep those that nobody else says: that a history does not fit."""
    text = record.getMessage()
    if "Failing workflow task" not in text:
        return True
    match = re.search(r'message: "(\[TMPRL1100\](?:[^"\\]|\\.)*)"', text)
    if match is None:
        return False
    run = re.search(r"'run_id': '([^']*)'", text)
    record.msg, record.args = (
        "Workflow task failed: %s (run %s)\nthe code does not fit the history of this run: `fleet replay` says where",
        (match[1], run[1] if run else "?"),
    )
    return True


def _default_runtime(logs: LoggingConfig | None) -> None:
    """The SDK's core would write its log to stdout, where the results are."""
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=logs)), error_if_already_set=False)


class _Lines(logging.Handler):
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
