"""How many CPUs this process may use, and which: never how many the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

from .cgroups import MEMBERSHIP, ROOT, smallest_limit, text_of


def allowed_cpus() -> list[int]:
    """Numbers of the CPUs in the affinity mask of this process, ascending."""
    return sorted(os.sched_getaffinity(0))


def default_workers(cpus: Iterable[int], quota: float | None) -> int:
    """One worker for each of `cpus`, but not more than the CPU time of `quota` (in CPUs) can keep busy; at least 1."""
    count = len(list(cpus))
    # A quota of 1.5 CPUs is better used by two workers that are throttled a little than by one that cannot reach it.
    return max(1, count if quota is None else min(count, math.ceil(quota)))


def assign(cpus: list[int], slot: int) -> int:
    """The CPU of slot number `slot` (from 0): more slots than CPUs share them in turn."""
    return cpus[slot % len(cpus)]


def cgroup_quota(root: Path = ROOT, membership: Path = MEMBERSHIP) -> float | None:
    """The CPU quota of the control group (v1 or v2) of this process and of those around it, in CPUs.

    None when there is none, or none that can be read.
    """
    return smallest_limit("cpu", _v2, _v1, root, membership)


def _v2(folder: Path) -> float | None:
    text = text_of(folder / "cpu.max").split()
    return _share(text[0], text[1]) if len(text) == 2 else None


def _v1(folder: Path) -> float | None:
    return _share(text_of(folder / "cpu.cfs_quota_us"), text_of(folder / "cpu.cfs_period_us"))


def _share(quota: str, period: str) -> float | None:
    try:
        allowed, of = int(quota), int(period)
    except ValueError:
        return None
    return allowed / of if allowed > 0 and of > 0 else None
