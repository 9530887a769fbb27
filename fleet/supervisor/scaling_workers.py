"""How many worker processes there are, when that is left to the fleet: by CPU use, and by permits that are wanting."""

from __future__ import annotations

from dataclasses import dataclass

_HIGH, _LOW = 0.8, 0.5
_SMOOTHING = 5.0
_BETWEEN = 15.0


@dataclass(frozen=True)
class Change:
    """A number of workers, and why."""

    workers: int
    text: str


class WorkerCount:
    """Decides about the number of workers within bounds, one at a time.

    One more when the CPUs of the workers are busy, or when a queue wants permits that the workers there are may not
    have; one less when the others could do its work with CPU to spare, for as long as `down_after`.
    """

    def __init__(self, least: int, most: int, down_after: float) -> None:
        """down_after: seconds."""
        self._least = least
        self._most = most
        self._down_after = down_after
        self._cpu: float | None = None
        self._last = 0.0
        self._changed = -_BETWEEN
        self._quiet_since: float | None = None

    def tick(self, now: float, workers: int, cpu: float, wanting: bool) -> Change | None:
        """What to change, None for nothing. About once a second.

        now: monotonic seconds. workers: how many serve. cpu: CPU seconds per second of all of them together since the
        last look. wanting: whether a queue wants permits that it may not have with so many workers.
        """
        share = cpu / max(workers, 1)
        weight = 1.0 if self._cpu is None else min(1.0, (now - self._last) / _SMOOTHING)
        self._cpu = share if self._cpu is None else self._cpu + (share - self._cpu) * weight
        self._last = now
        if not self._least <= workers <= self._most:
            return self._change(now, min(max(workers, self._least), self._most), "outside of its bounds")
        # What a change brings is seen when the new process has connected.
        settled = now - self._changed >= _BETWEEN
        if (self._cpu >= _HIGH or wanting) and workers < self._most:
            self._quiet_since = None
            why = f"CPU {self._cpu:.0%}" + (", permits are wanting" if wanting else "")
            return self._change(now, workers + 1, why) if settled else None
        if wanting or workers == self._least or self._cpu * workers / (workers - 1) > _LOW:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        elif now - self._quiet_since >= self._down_after and settled:
            return self._change(now, workers - 1, f"CPU {self._cpu:.0%} for {self._down_after:.0f} s")
        return None

    def _change(self, now: float, workers: int, why: str) -> Change:
        self._changed, self._quiet_since, self._cpu = now, None, None
        return Change(workers, why)
