"""A slot as the supervisor sees it: processes come and go in it, its number, CPU and block stay."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from .page import Slot, State
from .restarts import Restarts

ABORT_TIME = 2.0
"""Seconds from SIGABRT, at which a process dumps its stacks, to SIGKILL."""

_OVER_MEMORY_LOOKS = 3
_AGE_JITTER = 0.1


@dataclass
class Ending:
    """A process that was told to end.

    Attributes:
        event: why, in one word: ``drain``, ``reload``, ``age``, ``memory``, ``scale``, ``hung``, ``stuck``.
        told: when it was told (monotonic seconds).
        deadline: when it is killed (monotonic seconds).
        run_id: the run that it hung or got stuck in, "" without one.
        killed: whether it was killed.
    """

    event: str
    told: float
    deadline: float
    run_id: str = ""
    killed: bool = False


@dataclass(frozen=True)
class Death:
    """The end of a process.

    Attributes:
        pid: of the process.
        code: its exit code; the negative number of the signal that ended it.
        lived: seconds.
        was_ready: whether it had come to serve.
        ending: what it was told before, None when it ended by itself.
        run_id: the run whose activation it was in, "" without one.
        stacks: what it dumped, "" when nothing.
        generation: the generation that it served.
        out_of_memory: whether the kernel killed it for want of memory.
    """

    pid: int
    code: int
    lived: float
    was_ready: bool
    ending: Ending | None
    run_id: str
    stacks: str
    generation: int
    out_of_memory: bool = False

    @property
    def crashed(self) -> bool:
        """Whether what it ran can be the cause: it hung, got stuck, broke or took all memory; nobody killed it."""
        if self.ending is not None:
            return self.ending.event in ("hung", "stuck")
        by_somebody = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
        return self.out_of_memory or (self.code < 0 and -self.code not in by_somebody)

    @property
    def reason(self) -> str:
        """Why in one word: what it was told, else ``oom``, ``signal`` or ``exit``."""
        if self.ending is not None:
            return self.ending.event
        if self.out_of_memory:
            return "oom"
        return "signal" if self.code < 0 else "exit"

    @property
    def how(self) -> str:
        """``exit code 3``, ``SIGKILL``, ``SIGKILL (out of memory)``."""
        if self.out_of_memory:
            return "SIGKILL (out of memory)"
        return signal.Signals(-self.code).name if self.code < 0 else f"exit code {self.code}"


class Worker:
    """One slot.

    Attributes:
        number: from 0.
        cpu: that its processes are pinned to.
        block: its part of the shared page.
        restarts: its deaths.
        pid: of the process; 0 without one.
        born: when that was forked (monotonic seconds).
        ready: whether that serves.
        ending: what it was told, None while it is to go on.
        next_start: when the next process begins (monotonic seconds); meaningful without a process.
        retired: the slot goes when its process has ended.
        stands_in: it is one more than there are to be, while the only one is replaced.
        suspected: when the activation began (monotonic ns) whose run was made a suspect while the process lives; 0
            without one.
        refused: the exit code of the last process, when that was a configuration error before it served; else 0.
    """

    def __init__(self, number: int, cpu: int | None, block: Slot) -> None:
        self.number = number
        self.cpu = cpu
        self.block = block
        self.restarts = Restarts()
        self.pid = 0
        self.born = 0.0
        self.ready = False
        self.ending: Ending | None = None
        self.next_start = 0.0
        self.retired = False
        self.stands_in = False
        self.refused = 0
        self.suspected = 0
        self._recycle_age = 0.0
        self._over_memory = 0
        self._stacks = os.memfd_create(f"fleet-stacks-{number}")

    @property
    def stacks(self) -> int:
        """Descriptor of the file that a process dumps its stacks into."""
        return self._stacks

    @property
    def serves(self) -> bool:
        """Whether its process polls and is to go on."""
        return self.pid != 0 and self.ending is None and self.block.state is State.READY

    def start(self, fork: Callable[[], int], generation: int, now: float, recycle_age: float) -> None:
        """Begin a process: `fork` makes it and returns its id."""
        os.ftruncate(self._stacks, 0)
        os.lseek(self._stacks, 0, os.SEEK_SET)
        self.block.clear()
        self.block.generation = generation
        self.block.beat = time.monotonic_ns()
        self.block.state = State.STARTING
        self.pid = self.block.pid = fork()
        self.born, self.ready, self.ending = now, False, None
        self._over_memory = self.suspected = 0
        self._recycle_age = recycle_age * (1 + random.uniform(-_AGE_JITTER, _AGE_JITTER))

    def end(self, event: str, now: float, grace: float) -> None:
        """Tell the process to finish its tasks and end within `grace` seconds."""
        if self.pid and self.ending is None:
            self.ending = Ending(event, now, now + grace)
            self.send(signal.SIGTERM)

    def abort(self, event: str, now: float, run_id: str) -> None:
        """Let the process dump its stacks and die."""
        self.ending = Ending(event, now, now + ABORT_TIME, run_id)
        self.send(signal.SIGABRT)

    def kill(self) -> None:
        """End the process now."""
        if self.ending is not None:
            self.ending.killed = True
        self.send(signal.SIGKILL)

    def send(self, number: int) -> None:
        """Send a signal to the process, if there is one. It is not reaped yet, so that the id is its own."""
        if self.pid:
            os.kill(self.pid, number)

    def reap(self, now: float) -> Death | None:
        """The end of the process, None while it lives or when there is none."""
        if not self.pid:
            return None
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            # Somebody outside of this module has reaped it; how it ended is not known.
            pid, status = self.pid, 0
        if not pid:
            return None
        activating = self.block.activating
        run_id = activating.run_id if activating is not None else ""
        if self.ending is not None and self.ending.run_id:
            run_id = self.ending.run_id
        death = Death(
            pid=pid,
            code=os.waitstatus_to_exitcode(status),
            lived=now - self.born,
            was_ready=self.ready,
            ending=self.ending,
            run_id=run_id,
            stacks=os.pread(self._stacks, 1 << 18, 0).decode(errors="replace"),
            generation=self.block.generation,
        )
        self.pid, self.ready, self.ending = 0, False, None
        self.block.clear()
        return death

    def too_old(self, now: float) -> bool:
        """Whether its age is beyond `recycle_age`."""
        return self._recycle_age > 0 and self.ready and now - self.born > self._recycle_age

    def too_big(self, limit: int) -> bool:
        """Look at its memory; whether that was above `limit` bytes in enough looks in a row (`limit` 0: never)."""
        over = limit > 0 and self.ready and resident_bytes(self.pid) > limit
        self._over_memory = self._over_memory + 1 if over else 0
        return self._over_memory >= _OVER_MEMORY_LOOKS

    def close(self) -> None:
        """The slot goes."""
        os.close(self._stacks)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it cannot be read."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used; 0 when it cannot be read."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            # The name before may hold blanks and brackets.
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0
