"""What a call knows of the Temporal activity that it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ActivityContext:
    """The activity that a call runs for; the calls that it makes share it.

    Attributes:
        info: what ``activity.info()`` shows.
        send: records a heartbeat with these details: encoded payloads.
        details: the details of the last heartbeat, of an earlier attempt as well: encoded payloads.
    """

    info: dict[str, Any]
    send: Callable[[list[bytes]], None]
    details: list[bytes] = field(default_factory=list)

    def heartbeat(self, details: list[bytes] | None = None) -> None:
        """Record a heartbeat; without ``details`` those of the last one are repeated, or the server would forget them."""
        if details is not None:
            self.details = details
        self.send(self.details)
