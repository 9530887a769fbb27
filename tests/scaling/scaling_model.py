"""A model of task queues, workers and a database, with a clock of its own, on which the control loop is driven.

A worker's polls hold permits and are let wait by the server; a task takes the permit of its poll. Tasks share a database
that does so much work per second and no more. All is deterministic.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fleet.supervisor.page import Kind
from fleet.supervisor.scaling import Bounds, Decision, Reading, Scaling, Tuning
from fleet.supervisor.scaling_stats import QueueStats, TaskQueue

STEP = 0.05
LONG_POLL = 60.0
STATS_EVERY = 2.0

Of = Callable[[float], float]


def always(value: float) -> Of:
    return lambda now: value


def between(start: float, end: float, inside: float, outside: float) -> Of:
    return lambda now: inside if start <= now < end else outside


@dataclass
class Database:
    """Does `capacity(now)` seconds of work per second; each caller gets one second per second at most."""

    capacity: Of
    callers: int = 0

    def speed(self, now: float) -> float:
        return min(1.0, self.capacity(now) / self.callers) if self.callers else 1.0


@dataclass
class Queue:
    """A task queue and its load.

    Attributes:
        arrivals: tasks per second.
        work: seconds of work of a task.
        database: where the work is done; None is in the task itself.
        fails: whether tasks fail now as soon as they begin; they come back after `retry` seconds.
        polls: the most polls that the workers keep outstanding.
    """

    name: str
    arrivals: Of
    work: float = 0.1
    database: Database | None = None
    minimum: int = 2
    maximum: int = 1000
    fails: Callable[[float], bool] = lambda now: False
    retry: float = 1.0
    polls: int = 10
    backlog: deque[float] = field(default_factory=deque)
    polling: list[float] = field(default_factory=list)
    running: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    due: float = 0.0
    finished: int = 0
    failed: int = 0
    busy: float = 0.0
    limit: int = 0

    @property
    def key(self) -> TaskQueue:
        return TaskQueue(self.name, Kind.ACTIVITY)

    @property
    def held(self) -> int:
        return len(self.polling) + len(self.running)

    def age(self, now: float) -> float:
        return now - self.backlog[0] if self.backlog else 0.0

    def step(self, now: float) -> None:
        self.due += self.arrivals(now) * STEP
        while self.due >= 1:
            self.due -= 1
            self.backlog.append(now)
        while self.later and self.later[0] <= now:
            self.backlog.append(heapq.heappop(self.later))
        self.polling = [since for since in self.polling if now - since < LONG_POLL]
        while len(self.polling) < self.polls and self.held < self.limit:
            self.polling.append(now)
        while self.backlog and (self.polling or self.held < self.limit):
            if self.polling:
                self.polling.pop(0)
            self.backlog.popleft()
            self.running.append(STEP if self.fails(now) else self.work)
        speed = self.database.speed(now) if self.database is not None else 1.0
        self.busy += len(self.running) * STEP
        left = [work - STEP * speed for work in self.running]
        self.running = [work for work in left if work > 1e-9]
        ended = len(left) - len(self.running)
        self.finished += ended
        if self.fails(now):
            self.failed += ended
            for _ in range(ended):
                heapq.heappush(self.later, now + self.retry)


@dataclass(frozen=True)
class Sample:
    """One second of one queue."""

    time: float
    permits: int
    busy: float
    backlog: int
    age: float


class Fleet:
    """Runs queues under the loop and writes down what happens.

    Attributes:
        samples: by name of the queue, one for each second.
        decisions: with the second in which each was made.
        most_held: the most permits in hands at once, all queues together.
    """

    def __init__(self, budget: int, queues: Sequence[Queue], *, server_answers: bool = True) -> None:
        self.budget = budget
        self.queues = list(queues)
        self.now = 0.0
        self.samples: dict[str, list[Sample]] = {queue.name: [] for queue in queues}
        self.decisions: list[tuple[float, Decision]] = []
        self.most_held = 0
        self._server_answers = server_answers
        self._stats: dict[TaskQueue, QueueStats] = {}
        self._marks = {queue.name: (0, 0, 0.0) for queue in queues}
        self._loop = Scaling(Tuning(), lambda decision: self.decisions.append((self.now, decision)))
        self._control({})

    def run(self, seconds: float) -> Fleet:
        steps = round(1 / STEP)
        for step in itertools.count(1):
            if self.now >= seconds:
                return self
            self.now = round(self.now + STEP, 6)
            for database in {id(q.database): q.database for q in self.queues if q.database is not None}.values():
                database.callers = sum(len(q.running) for q in self.queues if q.database is database)
            for queue in self.queues:
                queue.step(self.now)
            self.most_held = max(self.most_held, sum(queue.held for queue in self.queues))
            if step % steps == 0:
                self._second()
        return self

    def of(self, name: str, start: float = 0.0, end: float = 1e9) -> list[Sample]:
        return [sample for sample in self.samples[name] if start <= sample.time < end]

    def changes(self, name: str, start: float = 0.0, end: float = 1e9) -> list[Decision]:
        return [d for at, d in self.decisions if start <= at < end and d.queue.worker == name]

    def _second(self) -> None:
        if round(self.now) % STATS_EVERY == 0:
            for q in self.queues:
                self._stats[q.key] = QueueStats(len(q.backlog), q.age(self.now), 0.0, 0.0, 1)
        readings = {}
        for q in self.queues:
            finished, failed, busy = self._marks[q.name]
            self._marks[q.name] = (q.finished, q.failed, q.busy)
            stats = self._stats.get(q.key) if self._server_answers else None
            committed = max(q.limit, q.held)
            readings[q.key] = Reading(q.busy - busy, q.finished - finished, q.failed - failed, 1.0, committed, stats)
            self.samples[q.name].append(Sample(self.now, q.limit, q.busy - busy, len(q.backlog), q.age(self.now)))
        self._control(readings)

    def _control(self, readings: dict[TaskQueue, Reading]) -> None:
        bounds = {queue.key: Bounds(queue.minimum, queue.maximum) for queue in self.queues}
        self._loop.tick(self.now, {Kind.ACTIVITY: self.budget, Kind.WORKFLOW: 0}, bounds, readings)
        for queue in self.queues:
            queue.limit = self._loop.granted(queue.key)
