"""The workers of a fleet: begun, watched, begun again, replaced one at a time, more or fewer."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cpus import assign
from .forking import fork
from .health import judge
from .job import Program, WorkerJob
from .journal import Journal
from .memory import allowed_memory, cache_share
from .oom import OutOfMemoryKills
from .page import Page
from .release import Release
from .roll import Roll
from .settings import Settings
from .suspects import Suspects
from .worker import Death, Worker

MAX_WORKERS = 256
CONFIGURATION = 3
"""Exit code of a worker whose application cannot be served as it is (fleet/cli/exit.py)."""

OVERDUE = 5.0
"""Seconds after which an activation that has not ended makes its run a suspect. The engine ends one after 1 s, and a
machine that swaps delays it by some more."""

_MEMORY_EVERY = 5.0


class Crew:
    """The slots and what is in them.

    Attributes:
        workers: by number, from 0 on without gaps.
        page: the memory shared with them.
        release: what new processes serve.
        settings: the effective ones.
        roll: replacements under way.
        suspects: runs in whose tasks workers went down.
        oom_kills: processes that the kernel killed for want of memory.
        leftovers: files that workers remove when the supervisor was killed.
        metrics: directory of the files that workers count in; None when nobody asks for metrics.
    """

    def __init__(
        self,
        program: Program,
        release: Release,
        settings: Settings,
        cpus: list[int],
        journal: Journal,
        private: Callable[[], list[int]],
    ) -> None:
        """`private`: descriptors that a worker must not keep open."""
        self.workers: dict[int, Worker] = {}
        self.page = Page(MAX_WORKERS)
        self.release = release
        self.settings = settings
        self.roll = Roll()
        self.suspects = Suspects(self.page.quarantine, journal)
        self.oom_kills = OutOfMemoryKills()
        self.leftovers: list[tuple[Path, int, int]] = []
        self.metrics: Path | None = None
        self._program = program
        self._cpus = cpus
        self._journal = journal
        self._private = private
        self._awake_since = self._seen = time.monotonic_ns()
        self._memory_seen = 0.0

    @property
    def target(self) -> int:
        """How many workers there are to be."""
        return sum(not worker.retired and not worker.stands_in for worker in self.workers.values())

    @property
    def serving(self) -> int:
        """How many workers poll."""
        return sum(worker.serves for worker in self.workers.values())

    @property
    def alive(self) -> int:
        """How many processes there are."""
        return sum(worker.pid != 0 for worker in self.workers.values())

    @property
    def refused(self) -> int:
        """The exit code of a configuration error that every worker ended with before it ever served; else 0."""
        codes = {worker.refused for worker in self.workers.values()}
        return codes.pop() if len(codes) == 1 else 0

    def scale(self, count: int, now: float) -> None:
        """Have `count` workers (bounded to 1 .. MAX_WORKERS): the highest slots go, or new ones come."""
        count = max(1, min(count, MAX_WORKERS))
        for number in range(count):
            worker = self.workers.get(number)
            if worker is None:
                worker = self._add(number, now)
            if worker.stands_in:
                # It stays, and may have begun before the newest code.
                self.roll.add(worker, "reload")
            worker.retired = worker.stands_in = False
        for number, worker in list(self.workers.items()):
            if number >= count:
                self._retire(worker)

    def end(self, worker: Worker, event: str) -> None:
        """Tell a worker to end, and why in one word."""
        grace = self.settings.worker_drain
        if worker.pid and worker.ending is None:
            text = f"worker {worker.number} is told to end within {grace:g} s: {event}"
            self._journal.note("end", text, slot=worker.number, pid=worker.pid, reason=event)
        worker.end(event, time.monotonic(), grace)

    def tick(self, now: float) -> None:
        """Look at each worker, go on with replacements, begin what is due."""
        self._watch(now)
        if self._is_covered(now):
            self.roll.advance(self.workers, self.release.generation, self.end)
        if self.roll.idle:
            self.relieve()
        for worker in self.workers.values():
            if not worker.pid and not worker.retired and now >= worker.next_start:
                self._start(worker, now)

    def press(self, now: float) -> None:
        """Kill those whose time to end is over."""
        for worker in self.workers.values():
            ending = worker.ending
            if ending is not None and worker.pid and not ending.killed and now >= ending.deadline:
                text = f"worker {worker.number} is killed: it has not ended in time ({ending.event})"
                self._journal.warn("kill", text, slot=worker.number, pid=worker.pid, reason=ending.event)
                worker.kill()

    def reap(self, now: float) -> list[tuple[Worker, Death]]:
        """The workers whose process has ended, with how. Each is noted, and its slot gets the next one in time."""
        ended = [(worker, death) for worker in self.workers.values() if (death := worker.reap(now)) is not None]
        ended = [(worker, self._explained(death, now)) for worker, death in ended]
        for worker, death in ended:
            self._note_death(worker, death, now)
            self._discard(worker)
        return ended

    def _explained(self, death: Death, now: float) -> Death:
        by_others = death.code == -signal.SIGKILL and death.ending is None
        return dataclasses.replace(death, out_of_memory=by_others and self.oom_kills.explain(now))

    def relieve(self) -> None:
        """End the worker that stands in for the only one, if there is one."""
        for worker in [worker for worker in self.workers.values() if worker.stands_in and not worker.retired]:
            self._retire(worker)

    def begin_again(self, worker: Worker, now: float) -> None:
        """Let the slot have its next process at once."""
        worker.restarts.forget()
        worker.refused = 0
        worker.next_start = now

    def _add(self, number: int, now: float) -> Worker:
        cpu = assign(self._cpus, number) if self.settings.pin == "on" else None
        worker = self.workers[number] = Worker(number, cpu, self.page.slots[number])
        worker.next_start = now
        return worker

    def _retire(self, worker: Worker) -> None:
        worker.retired = True
        self.end(worker, "scale")
        self._discard(worker)

    def _is_covered(self, now: float) -> bool:
        """Whether replacements may go on: where only one worker serves, another one stands in for it meanwhile."""
        present = [worker for worker in self.workers.values() if not worker.retired]
        stand_in = next((worker for worker in present if worker.stands_in), None)
        if stand_in is not None:
            return stand_in.serves
        if len(present) != 1 or not present[0].serves or not self.roll.concerns(present[0], self.release.generation):
            return True
        number = min(set(range(MAX_WORKERS)) - set(self.workers))
        self._add(number, now).stands_in = True
        text = f"worker {number} is to serve while worker {present[0].number}, the only one, is replaced"
        self._journal.note("stand-in", text, slot=number)
        return False

    def _start(self, worker: Worker, now: float) -> None:
        job = WorkerJob(
            slot=worker.number,
            cpu=worker.cpu,
            app=self.release.app,
            settings=self.settings,
            # Beside one that stands in, the worker that it stands in for may be full.
            cache_bytes=self._cache_bytes(2 if worker.stands_in else self.target),
            block=worker.block,
            quarantine=self.page.quarantine,
            supervisor=os.getpid(),
            stacks=worker.stacks,
            leftovers=list(self.leftovers),
            metrics=self.metrics,
        )
        others = [other.stacks for other in self.workers.values() if other is not worker]
        work, close = self._program.work, [*self._private(), *others]
        worker.start(lambda: fork(lambda: work(job), close), self.release.generation, now, self.settings.recycle_age)
        place = f" on CPU {worker.cpu}" if worker.cpu is not None else ""
        text = f"worker {worker.number} begins{place}, generation {self.release.generation}"
        self._journal.note(
            "start", text, slot=worker.number, pid=worker.pid, cpu=worker.cpu, cache_bytes=job.cache_bytes
        )

    def _cache_bytes(self, workers: int) -> int:
        asked = self.settings.cache_memory
        return cache_share(workers, allowed_memory()) if asked is None else asked

    def _watch(self, now: float) -> None:
        moment = time.monotonic_ns()
        if moment - self._seen > 5_000_000_000:
            # Nobody looked for so long: this process stood still, and so perhaps did the workers.
            self._awake_since = moment
        self._seen = moment
        look_at_memory = now - self._memory_seen >= _MEMORY_EVERY
        if look_at_memory:
            self._memory_seen = now
            self.oom_kills.look(now)
            self.suspects.save()
        for worker in self.workers.values():
            if not worker.pid:
                continue
            if worker.serves and not worker.ready:
                worker.ready, worker.refused = True, 0
                text = f"worker {worker.number} serves after {now - worker.born:.1f} s"
                self._journal.note("ready", text, slot=worker.number, pid=worker.pid)
            self._suspect_overdue(worker, moment)
            if worker.ending is not None:
                continue
            settings = self.settings
            verdict = judge(worker.block, moment, self._awake_since, settings.hung_after, settings.stuck_after)
            if verdict is not None:
                text = f"worker {worker.number} is {verdict.event}: {verdict.text}; it dumps its stacks and is replaced"
                fields = {"slot": worker.number, "pid": worker.pid, "run_id": verdict.run_id}
                self._journal.error(verdict.event, text, **fields)
                worker.abort(verdict.event, now, verdict.run_id)
            elif worker.stands_in:
                continue
            elif worker.too_old(now):
                self.roll.add(worker, "age")
            elif look_at_memory and worker.too_big(settings.recycle_memory):
                self.roll.add(worker, "memory")
        self.press(now)

    def _suspect_overdue(self, worker: Worker, moment: int) -> None:
        """Count a run whose activation does not end before its worker is killed for it: until then its task would be
        given to one worker after the other, and each would hang."""
        activating = worker.block.activating
        if activating is None or activating.since != worker.suspected:
            worker.suspected = 0
        if activating is None or worker.suspected:
            return
        seconds = (moment - max(activating.since, self._awake_since)) / 1e9
        if seconds > OVERDUE:
            worker.suspected = activating.since
            where = f"has been in an activation of worker {worker.number} for {seconds:.1f} s"
            self.suspects.count(activating.run_id, worker.number, where)

    def _note_death(self, worker: Worker, death: Death, now: float) -> None:
        fields: dict[str, Any] = {"slot": worker.number, "pid": death.pid, "how": death.how, "reason": death.reason}
        fields["lived"] = round(death.lived, 3)
        if death.crashed and death.run_id and not worker.suspected:
            self.suspects.count(death.run_id, worker.number, f"was in hand when worker {worker.number} went down")
        asked = death.ending is not None and death.ending.event not in ("hung", "stuck")
        if asked and death.ending is not None:
            worker.next_start = now
            worker.restarts.forget()
            text = f"worker {worker.number} has ended as asked ({death.ending.event}), {death.how}"
            self._journal.note("ended", text, took=round(now - death.ending.told, 3), **fields)
            return
        worker.refused = death.code if death.code == CONFIGURATION and not death.was_ready else 0
        delay = worker.restarts.next_delay(death.lived, self.settings.healthy_after)
        worker.next_start = now + delay
        stage = "while it served" if death.was_ready else "before it served"
        text = f"worker {worker.number} died {stage}: {death.how}; the next one begins in {delay:g} s"
        more = {"run_id": death.run_id} if death.run_id else {}
        if death.stacks:
            more["stacks"] = death.stacks
        self._journal.warn("died", text, delay=delay, **fields, **more)

    def _discard(self, worker: Worker) -> None:
        if worker.retired and not worker.pid:
            del self.workers[worker.number]
            worker.close()
