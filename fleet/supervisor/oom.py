"""Workers that the kernel killed for want of memory, told from those that somebody killed: the control group counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from .cgroups import MEMBERSHIP, ROOT, folders, text_of

_RECENT = 30.0
"""Seconds from a kill, as counted, to the end of the process that it met: a big one takes its time to die."""


class OutOfMemoryKills:
    """Kills that no death has been found for yet."""

    def __init__(self, root: Path = ROOT, membership: Path = MEMBERSHIP) -> None:
        self._files = list(_files(root, membership))
        self._counted = self._count()
        self._open: deque[float] = deque()

    def look(self, now: float) -> None:
        """Take note of new ones; every few seconds. now: monotonic seconds."""
        counted = self._count()
        # Another process of the group may have been the victim: what is never asked for is forgotten.
        self._open.extend([now] * min(counted - self._counted, 1000))
        self._counted = counted
        while self._open and now - self._open[0] > _RECENT:
            self._open.popleft()

    def explain(self, now: float) -> bool:
        """Whether a process that has just ended by SIGKILL was the victim of one. Each kill explains one death."""
        self.look(now)
        if not self._open:
            return False
        self._open.popleft()
        return True

    def _count(self) -> int:
        for file in self._files:
            for line in text_of(file).splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill" and value.isdecimal():
                    return int(value)
        return 0


def _files(root: Path, membership: Path) -> Iterator[Path]:
    """Where the count may be, that of this process's own group first."""
    v2, v1 = folders("memory", root, membership)
    yield from (folder / "memory.events" for folder in v2)
    yield from (folder / "memory.oom_control" for folder in v1)
