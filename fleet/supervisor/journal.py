"""What the supervisor decides: one log line for each decision with its reason, and the last ones kept for status."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger("fleet.supervisor")

Listener = Callable[[str, Mapping[str, Any]], None]
"""Told of each decision: its event and its fields."""

_KEPT = 50


class Journal:
    """The decisions of a supervisor.

    Attributes:
        recent: the last ones, oldest first: time (Unix seconds), event, text and the decision's own fields.
        listeners: who is told of each decision.
    """

    def __init__(self) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self.listeners: list[Listener] = []

    def note(self, event: str, text: str, level: int = logging.INFO, **fields: Any) -> None:
        """Log a decision: `event` is its kind in one word, `text` says what and why, `fields` are for programs."""
        self.recent.append({"time": time.time(), "event": event, "text": text, **fields})
        log.log(level, "%s", text, extra={"fleet": {"event": event, **fields}})
        for listener in self.listeners:
            listener(event, fields)

    def warn(self, event: str, text: str, **fields: Any) -> None:
        """Like `note`, for what somebody should look at."""
        self.note(event, text, logging.WARNING, **fields)

    def error(self, event: str, text: str, **fields: Any) -> None:
        """Like `note`, for what needs somebody."""
        self.note(event, text, logging.ERROR, **fields)
