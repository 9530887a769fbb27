"""The supervisor's loop: signals, the workers, the ends of things. One thread, which never waits for a worker."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from .autoscaler import Autoscaler
from .crew import MAX_WORKERS, Crew
from .endpoint import Answer, Endpoint
from .job import Program
from .journal import Journal
from .notify import Notifier
from .release import Release
from .reloading import Reloading
from .settings import Settings
from .signals import SignalQueue
from .status import status_of, status_text

TICK = 0.5
"""Seconds between two looks when nothing happens."""

_QUICK = 2.0
_SAME_REQUEST = 0.5
"""Seconds within which a second signal is the first one again: terminals and container tools send it twice."""


@dataclass
class FleetEnd:
    """The end of the fleet.

    Attributes:
        signal: that asked for it; 0 when none did.
        code: exit code when no signal asked.
        asked: when (monotonic seconds).
        deadline: when all is killed (monotonic seconds).
        quick: whether a second signal came.
    """

    signal: int
    code: int
    asked: float
    deadline: float
    quick: bool = False


class Supervisor:
    """A fleet of workers.

    Attributes:
        crew: the workers.
        journal: what was decided.
        reloading: reloads.
        autoscaler: permits, and the number of workers.
        selector: what the loop waits on; others register (descriptor, callable without arguments as data) there.
        began: when it was made (monotonic seconds).
    """

    def __init__(
        self, program: Program, release: Release, settings: Settings, cpus: list[int], count: int, notifier: Notifier
    ) -> None:
        """`count`: workers at the start; `cpus`: what they are pinned to."""
        self.journal = Journal()
        self.selector = selectors.DefaultSelector()
        self.began = time.monotonic()
        self.crew = Crew(program, release, settings, cpus, self.journal, self._private)
        self.reloading = Reloading(program, self.crew, self.journal, self._private, self._reload_begins)
        self.autoscaler = Autoscaler(self.crew, self.journal, self.selector, program, self._private, self.scale)
        self._notifier = notifier
        self._signals = SignalQueue()
        self._end: FleetEnd | None = None
        self._was_ready = False
        self._announced = False
        self._endpoints: list[Endpoint] = []
        self._closing: list[Callable[[], None]] = []
        self.crew.scale(count, self.began)
        self.at_end(self.autoscaler.close)

    @property
    def ending(self) -> bool:
        """Whether the fleet ends."""
        return self._end is not None

    @property
    def ready(self) -> bool:
        """Whether enough workers poll (setting `ready_share`), and the fleet does not end."""
        serving, share = self.crew.serving, self.crew.settings.ready_share
        return not self.ending and serving > 0 and serving * 100 >= self.crew.target * share

    def at_end(self, action: Callable[[], None]) -> None:
        """Call `action` when the last worker has ended."""
        self._closing.append(action)

    def run(self) -> FleetEnd:
        """Supervise until the end of the fleet."""
        with self._signals.installed():
            self.selector.register(self._signals.descriptor, selectors.EVENT_READ, self._take_signals)
            self.journal.note("begin", f"the fleet begins: {self.crew.target} workers", pid=os.getpid())
            while True:
                now = time.monotonic()
                self._turn(now)
                if self._end is not None and not self.crew.alive:
                    break
                self._wait(self._patience(now))
        for action in self._closing:
            action()
        took = time.monotonic() - self._end.asked
        self.journal.note("over", f"the fleet has ended, {took:.1f} s after it was asked to", seconds=round(took, 3))
        self.selector.close()
        return self._end

    def drain(self, signum: int = 0, code: int = 0, why: str = "") -> None:
        """End the fleet: workers finish their tasks. A second time it is quick."""
        now = time.monotonic()
        if self._end is None:
            grace = self.crew.settings.fleet_drain
            self._end = FleetEnd(signum, code, now, now + grace)
            self.journal.note("drain", f"the fleet ends within {grace:g} s: {why}")
            self._notifier.stopping("draining")
            self.reloading.stop()
            self.crew.roll.clear()
            for worker in self.crew.workers.values():
                self.crew.end(worker, "drain")
        elif not self._end.quick and now - self._end.asked > _SAME_REQUEST:
            self._end.quick = True
            self._end.deadline = min(self._end.deadline, now + _QUICK)
            self.journal.warn("quick", f"the fleet ends within {_QUICK:g} s: {why}, for the second time")
            for worker in self.crew.workers.values():
                worker.send(signal.SIGTERM)

    def scale(self, count: int, why: str) -> int:
        """Have `count` workers, within bounds; returns how many there are to be."""
        before = self.crew.target
        count = max(1, min(count, MAX_WORKERS))
        self.journal.note("scale", f"{count} workers instead of {before}: {why}", workers=count)
        if not self.ending:
            self.crew.scale(count, time.monotonic())
        return self.crew.target

    def open(
        self, listener: socket.socket, complete: Callable[[bytes], bool], handle: Callable[[bytes, Answer], None]
    ) -> None:
        """Answer requests that come to a listening socket until the fleet has ended."""
        endpoint = Endpoint(listener, self.selector, complete, handle)
        self._endpoints.append(endpoint)
        self.at_end(endpoint.close)

    def _turn(self, now: float) -> None:
        for worker, death in self.crew.reap(now):
            self.reloading.died(worker, death, now)
        if os.getpid() == 1:
            _reap_strangers(
                {worker.pid for worker in self.crew.workers.values()} | self.reloading.pids | self.autoscaler.pids
            )
        if self._end is not None:
            if now >= self._end.deadline:
                self._kill_all()
            self.crew.press(now)
        else:
            refused = self.crew.refused
            if refused and not self._was_ready:
                self.drain(code=refused, why="no worker can serve the application as it is configured")
                return
            # Before a worker begins, it has its permits.
            self.autoscaler.tick(now)
            self.crew.tick(now)
            self.reloading.tick(now)
        for endpoint in self._endpoints:
            endpoint.tick()
        self._announce()
        self._notifier.beat(now)

    def _reload_begins(self) -> None:
        self._notifier.reloading()
        # Its end is told, whatever it is.
        self._announced = False

    def _announce(self) -> None:
        self._was_ready = self._was_ready or self.ready
        steady = self.ready and not self.reloading.active
        if steady and not self._announced:
            self._notifier.ready(f"{self.crew.serving} of {self.crew.target} workers serve")
            self._announced = True

    def _kill_all(self) -> None:
        for worker in self.crew.workers.values():
            if worker.pid and not (worker.ending is not None and worker.ending.killed):
                text = f"worker {worker.number} is killed: the time of the fleet is over"
                self.journal.warn("kill", text, slot=worker.number, pid=worker.pid, reason="drain")
                worker.kill()

    def _patience(self, now: float) -> float:
        """How long the loop may wait."""
        times = [now + TICK]
        for worker in self.crew.workers.values():
            if worker.ending is not None:
                times.append(worker.ending.deadline)
            elif not worker.pid and not self.ending:
                times.append(worker.next_start)
        return max(min(times) - now, 0.01)

    def _wait(self, seconds: float) -> None:
        for key, _ in self.selector.select(seconds):
            key.data()

    def _take_signals(self) -> None:
        for number in self._signals.take():
            if number in (signal.SIGTERM, signal.SIGINT):
                self.drain(signum=number, why=number.name)
            elif number == signal.SIGHUP and not self.ending:
                self.reloading.ask(lambda outcome: None)
            elif number == signal.SIGTTIN:
                self.scale(self.crew.target + 1, "SIGTTIN")
            elif number == signal.SIGTTOU:
                self.scale(self.crew.target - 1, "SIGTTOU")
            elif number == signal.SIGUSR1:
                self.journal.note("state", status_text(self), status=status_of(self))

    def _private(self) -> list[int]:
        """Descriptors of the supervisor that are none of a child's business."""
        registered = [key.fd for key in self.selector.get_map().values()]
        return sorted({*registered, *self._signals.descriptors, *self.reloading.descriptors, self.selector.fileno()})


def _reap_strangers(known: set[int]) -> None:
    """As the first process of a container: reap orphans of others, quietly."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in known:
            # One of our own is reaped by its number; what is behind it has its turn then.
            return
        os.waitpid(found.si_pid, os.WNOHANG)
