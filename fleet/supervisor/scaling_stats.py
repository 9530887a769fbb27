"""What the Temporal server says about the task queues; a child process asks it and reports here, a line for each."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import NamedTuple

from .page import Kind

log = logging.getLogger(__name__)

_CHUNK = 65536


class TaskQueue(NamedTuple):
    """One kind of tasks on the queue of a temporal.worker entry.

    Attributes:
        worker: id of the entry.
        kind: workflow or activity tasks.
    """

    worker: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.worker} {self.kind.name.lower()}"


@dataclass(frozen=True)
class QueueStats:
    """What the server says. Tasks of cached runs (sticky ones) are not in it.

    Attributes:
        backlog: tasks that wait, about.
        age: how long the first of them has waited (seconds).
        add_rate: tasks that come per second, over the last 30 s.
        dispatch_rate: tasks that are given out per second, over the last 30 s.
        pollers: workers that have asked for tasks in the last minutes, those of other fleets included.
    """

    backlog: int
    age: float
    add_rate: float
    dispatch_rate: float
    pollers: int


def encode_report(queue: TaskQueue, stats: QueueStats) -> bytes:
    """A report as the line that `StatsFeed` reads."""
    return json.dumps({"worker": queue.worker, "kind": queue.kind, **asdict(stats)}).encode() + b"\n"


class StatsFeed:
    """The reading end: keeps the last report for each queue.

    Attributes:
        descriptor: of the pipe.
        heard: when something last came, a sign of life at least (monotonic seconds).
    """

    def __init__(self, descriptor: int, now: float) -> None:
        """descriptor: the reading end of a pipe; it is made non-blocking, and stays its maker's to close."""
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.heard = now
        self._rest = b""
        self._reports: dict[TaskQueue, tuple[float, QueueStats]] = {}

    def read(self, now: float) -> bool:
        """Take in what is there. now: monotonic seconds. False when the writing end is closed: the child is gone."""
        while True:
            try:
                data = os.read(self.descriptor, _CHUNK)
            except BlockingIOError:
                return True
            if not data:
                self._rest = b""
                return False
            self.heard = now
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._take(filter(None, lines), now)

    def fresh(self, now: float, longest: float) -> dict[TaskQueue, QueueStats]:
        """The reports that are not older than `longest` seconds: what the server said long ago is no ground to act."""
        return {queue: stats for queue, (at, stats) in self._reports.items() if now - at <= longest}

    def _take(self, lines: Iterable[bytes], now: float) -> None:
        for line in lines:
            try:
                fields = json.loads(line)
                queue = TaskQueue(fields.pop("worker"), Kind(fields.pop("kind")))
                self._reports[queue] = (now, QueueStats(**fields))
            except (ValueError, KeyError, TypeError):
                # A child that was killed in the middle of a line, and another that goes on.
                log.warning("task queue statistics: a report that cannot be read is left out: %r", line[:200])
