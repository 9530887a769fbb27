"""How long to wait before a slot gets its next process."""

from __future__ import annotations

DELAYS = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 30.0)
"""Seconds; the last one is repeated. The first is short, because most deaths are single ones."""


class Restarts:
    """The deaths of one slot's processes.

    Attributes:
        total: restarts since the supervisor began.
    """

    def __init__(self) -> None:
        self.total = 0
        self._in_a_row = 0

    def next_delay(self, lived: float, healthy_after: float) -> float:
        """Seconds to wait after a death of a process that lived `lived` seconds; `healthy_after`: see the setting."""
        if lived >= healthy_after:
            self._in_a_row = 0
        delay = DELAYS[min(self._in_a_row, len(DELAYS) - 1)]
        self._in_a_row += 1
        self.total += 1
        return delay

    def forget(self) -> None:
        """The next process is another one: of new code, or one that was asked for."""
        self._in_a_row = 0
