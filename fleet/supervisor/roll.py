"""Replacing workers one at a time: for new code, for age, for memory. Who stands in for the only one is not due."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .worker import Worker


class Roll:
    """The replacements that are due, and the one that is under way."""

    def __init__(self) -> None:
        self._due: dict[int, str] = {}
        self._current: int | None = None
        self._old_pid = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is due or under way."""
        return self._current is None and not self._due

    def concerns(self, worker: Worker, generation: int) -> bool:
        """Whether the worker's process is due."""
        return worker.number in self._due and not _is_done(worker, self._due[worker.number], generation)

    def add(self, worker: Worker, event: str) -> None:
        """Replace the worker's process when its turn comes; `event`: why, in one word."""
        if worker.number != self._current:
            self._due.setdefault(worker.number, event)

    def replace_all(self, workers: Mapping[int, Worker], event: str) -> None:
        """Replace all, in the order of their numbers; what was due for another reason is part of it."""
        self._due = dict.fromkeys(sorted(workers), event)
        self._current = None

    def clear(self) -> None:
        """Nothing is due any more."""
        self._due.clear()
        self._current = None

    def advance(self, workers: Mapping[int, Worker], generation: int, end: Callable[[Worker, str], None]) -> None:
        """Begin the next replacement when the last one serves; `end` tells a worker to end, and why."""
        if self._current is not None:
            worker = workers.get(self._current)
            if worker is not None and not _replaced(worker, self._old_pid, generation):
                return
            self._current = None
        for number, event in list(self._due.items()):
            worker = workers.get(number)
            others = (other for other in workers.values() if other is not worker)
            # Whatever is wrong with the others, new code may be what helps them.
            if event != "reload" and not all(other.serves for other in others):
                continue
            del self._due[number]
            if worker is None or _is_done(worker, event, generation):
                continue
            self._current, self._old_pid = number, worker.pid
            if worker.pid and worker.ending is None:
                end(worker, event)
            return


def _is_done(worker: Worker, event: str, generation: int) -> bool:
    return worker.stands_in or (event == "reload" and worker.serves and worker.block.generation == generation)


def _replaced(worker: Worker, old_pid: int, generation: int) -> bool:
    return worker.serves and worker.pid != old_pid and worker.block.generation == generation
