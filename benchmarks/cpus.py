"""Which CPUs the benchmarks may use, and the CPU time of processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

ALLOWED = "BENCH_CPUS"
"""Environment variable: the CPUs that run.py was given; its suites are pinned to one of them."""


def allowed() -> list[int]:
    """All CPUs that may be used, in order; the last is the one to measure on."""
    named = os.environ.get(ALLOWED)
    return [int(cpu) for cpu in named.split(",")] if named else sorted(os.sched_getaffinity(0))


@contextmanager
def on_cpus(cpus: list[int]) -> Iterator[None]:
    """What this thread does and starts in the block runs on these CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of another process. Raises OSError when it has gone."""
    # The clock of a process, as clock_getcpuclockid(3) computes its number.
    return time.clock_gettime((~pid << 3) | 2)
