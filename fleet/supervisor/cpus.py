"""How many CPUs this process may use, and which: never how many the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path


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


def cgroup_quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """The CPU quota of the control group (v1 or v2) of this process and of those around it, in CPUs.

    None when there is none, or none that can be read.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            found += [_v2(folder) for folder in _upward(root, path)]
        elif "cpu" in controllers.split(","):
            for base in (root / controllers, root / "cpu"):
                found += [_v1(folder) for folder in _upward(base, path)]
    return min((quota for quota in found if quota is not None), default=None)


def _upward(base: Path, path: str) -> list[Path]:
    """The group's folder and all above: each may have a limit. In a container the path leads outside of the mount."""
    group = base / path.lstrip("/")
    return [folder for folder in (group, *group.parents) if folder == base or base in folder.parents]


def _v2(folder: Path) -> float | None:
    text = _read(folder / "cpu.max").split()
    return _share(text[0], text[1]) if len(text) == 2 else None


def _v1(folder: Path) -> float | None:
    return _share(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _share(quota: str, period: str) -> float | None:
    try:
        allowed, of = int(quota), int(period)
    except ValueError:
        return None
    return allowed / of if allowed > 0 and of > 0 else None


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
