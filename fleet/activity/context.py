"""What a call knows of the Temporal activity that it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

CONTEXT_HEADER = "lua-fleet-context"
"""The header that carries the values of ``ctx`` from a workflow to its activities."""


@dataclass
class ActivityContext:
    """The activity that a call runs for; the calls that it makes share it.

    Attributes:
        describe: makes what ``activity.info()`` shows.
        send: records a heartbeat with these details: encoded payloads.
        canceled: why the activity is cancelled, as details of the error that the script gets; None if nobody knows.
        details: the details of the last heartbeat, of an earlier attempt as well: encoded payloads.
        alive: does the script compute, or wait for something that can come?
        client: id of the temporal.client of the worker that took it.
    """

    describe: Callable[[], dict[str, Any]]
    send: Callable[[list[bytes]], None]
    canceled: Callable[[], dict[str, Any] | None] = lambda: None
    details: list[bytes] = field(default_factory=list)
    alive: Callable[[], bool] = lambda: True
    client: str = ""

    @cached_property
    def info(self) -> dict[str, Any]:
        """What ``activity.info()`` shows; most scripts never ask."""
        return self.describe()

    def heartbeat(self, details: list[bytes]) -> None:
        """Record the script's own heartbeat."""
        self.details = details
        self.send(details)

    def beat(self) -> None:
        """Record a heartbeat in the name of a script that lives; the last details again, or the server forgets them."""
        if self.alive():
            self.send(self.details)
