"""Autoscaling as a part of the supervisor: the child that asks the server, a decision each second, the workers."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable

from fleet.registry import App

from .crew import Crew
from .forking import fork
from .job import Program
from .journal import Journal
from .scaling_fleet import FleetScaling, QueueView
from .scaling_stats import QueueStats, StatsFeed, TaskQueue
from .scaling_workers import WorkerCount
from .settings import Settings
from .worker import cpu_seconds

_INTERVAL = 1.0
_FRESH = 10.0
_RESTART = 5.0


class Autoscaler:
    """Follows the load of a crew."""

    def __init__(
        self,
        crew: Crew,
        journal: Journal,
        selector: selectors.BaseSelector,
        program: Program,
        private: Callable[[], list[int]],
        scale: Callable[[int, str], object],
    ) -> None:
        """private: descriptors that a child must not keep open. scale: called with a number of workers and why."""
        self._crew = crew
        self._selector = selector
        self._program = program
        self._private = private
        self._scale = scale
        self._journal = journal
        self._fleet = FleetScaling(crew.page, journal)
        self._adopted: tuple[App, int, Settings] | None = None
        self._on = False
        self._workers: WorkerCount | None = None
        self._next = 0.0
        self._cpu: dict[int, float] = {}
        self._cpu_at = 0.0
        self._feed: StatsFeed | None = None
        self._child = 0
        self._next_child = 0.0

    @property
    def pids(self) -> set[int]:
        """The child, if there is one."""
        return {self._child} if self._child else set()

    def view(self) -> list[QueueView]:
        """The queues as they are; none while scaling is off."""
        return self._fleet.view() if self._on else []

    def tick(self, now: float) -> None:
        """Go on; decides once a second. Before the first worker begins, too."""
        self._reap(now)
        if now < self._next:
            return
        self._next = now + _INTERVAL
        self._adopt()
        if not self._on:
            return
        if not self._child and now >= self._next_child:
            self._begin_child(now)
        self._judge_child(now)
        slots = [number for number, worker in self._crew.workers.items() if not worker.retired and not worker.ending]
        self._fleet.tick(now, slots, self._stats(now))
        self._count_workers(now)

    def close(self) -> None:
        """End the child."""
        self._close_feed()
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0

    def _adopt(self) -> None:
        """Take up a new application and new settings."""
        crew = self._crew
        current = (crew.release.app, crew.release.generation, crew.settings)
        if self._adopted == current:
            return
        renewed = self._adopted is not None and self._adopted[0] is not crew.release.app
        self._adopted = current
        self._on = crew.settings.scaling
        if self._on:
            self._fleet.adopt(*current)
        else:
            self._fleet.leave()
        if renewed or not self._on:
            self.close()
        bounds = crew.settings.scaling_workers
        self._workers = WorkerCount(*bounds, crew.settings.scaling_down_after) if bounds and self._on else None

    def _begin_child(self, now: float) -> None:
        app = self._crew.release.app
        queues = [queue.key for queue in self._fleet.queues]
        reading, writing = os.pipe()
        report = self._program.report
        self._child = fork(lambda: report(app, queues, writing), [*self._private(), reading])
        os.close(writing)
        self._feed = StatsFeed(reading, now)
        self._selector.register(reading, selectors.EVENT_READ, self._read)

    def _judge_child(self, now: float) -> None:
        """Kill a child that hangs: the next one begins like after any other death."""
        # What came while this process stood still is no silence.
        self._read()
        if self._feed is None or now - self._feed.heard <= self._crew.settings.hung_after:
            return
        text = f"the process that asks for task queue statistics is hung: no word for {now - self._feed.heard:.1f} s"
        self._journal.warn("reporter-hung", f"{text}; it is replaced", pid=self._child)
        self._feed.heard = now
        if self._child:
            os.kill(self._child, signal.SIGKILL)

    def _read(self) -> None:
        if self._feed is not None and not self._feed.read(time.monotonic()):
            self._close_feed()

    def _close_feed(self) -> None:
        if self._feed is not None:
            self._selector.unregister(self._feed.descriptor)
            os.close(self._feed.descriptor)
            self._feed = None

    def _reap(self, now: float) -> None:
        if self._child and os.waitpid(self._child, os.WNOHANG)[0]:
            self._child = 0
            self._next_child = now + _RESTART
            self._close_feed()

    def _stats(self, now: float) -> dict[TaskQueue, QueueStats]:
        return self._feed.fresh(now, _FRESH) if self._feed is not None else {}

    def _count_workers(self, now: float) -> None:
        if self._workers is None:
            return
        crew = self._crew
        used = {worker.pid: cpu_seconds(worker.pid) for worker in crew.workers.values() if worker.serves}
        spent = sum(seconds - self._cpu.get(pid, seconds) for pid, seconds in used.items())
        took = now - self._cpu_at
        self._cpu, self._cpu_at = used, now
        if crew.serving != crew.target or not crew.roll.idle:
            return
        change = self._workers.tick(now, crew.target, spent / took, self._fleet.exhausted())
        if change is not None:
            self._scale(change.workers, change.text)
