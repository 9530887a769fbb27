"""What scripts, workers and Temporal's SDK log, as readable lines on stderr."""

from __future__ import annotations

import logging
import time
from typing import Any

from rich.text import Text

from .output import stderr

_STYLES = {logging.DEBUG: "dim", logging.INFO: "", logging.WARNING: "yellow", logging.ERROR: "bold red"}
_SPEAKER = ("workflow_id", "activity_id", "entry", "run_id", "attempt", "logger")


def show_logs(*, scripts: int = logging.INFO) -> None:
    """Send logging to stderr: what scripts print from level `scripts` on, of everything else the warnings."""
    handler = _Lines()
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("fleet.script").setLevel(scripts)


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
            speaker = " ".join(str(fields[name]) for name in ("entry", "workflow_id") if fields.get(name))
            line.append(f"{speaker}  ", "cyan")
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
