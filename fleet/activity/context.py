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
        canceled: why the activity is cancelled, as details of the error that the script gets; None if nobody knows.
        details: the details of the last heartbeat, of an earlier attempt as well: encoded payloads.
        alive: does the script compute, or wait for something that can come?
        client: id of the temporal.client of the worker that took it.
    """

    info: dict[str, Any]
    send: Callable[[list[bytes]], None]
    canceled: Callable[[], dict[str, Any] | None] = lambda: None
    details: list[bytes] = field(default_factory=list)
    alive: Callable[[], bool] = lambda: True
    client: str = ""

    def heartbeat(self, details: list[bytes]) -> None:
        """Record the script's own heartbeat."""
        self.details = details
        self.send(details)

    def beat(self) -> None:
        """Record a heartbeat in the name of a script that lives; the last details again, or the server forgets them."""
        if self.alive():
            self.send(self.details)
