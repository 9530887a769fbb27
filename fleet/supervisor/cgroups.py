"""Limits of the control group (v1 or v2) of this process and of those around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def smallest_limit(
    controller: str,
    v2: Callable[[Path], float | None],
    v1: Callable[[Path], float | None],
    root: Path = ROOT,
    membership: Path = MEMBERSHIP,
) -> float | None:
    """The smallest limit of `controller`; None when there is none, or none that can be read.

    v2, v1: what the folder of a group says, None without a limit.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            found += [v2(folder) for folder in _upward(root, path)]
        elif controller in controllers.split(","):
            for base in (root / controllers, root / controller):
                found += [v1(folder) for folder in _upward(base, path)]
    return min((limit for limit in found if limit is not None), default=None)


def text_of(file: Path) -> str:
    """What a file of a group says; empty when it cannot be read."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _upward(base: Path, path: str) -> list[Path]:
    """The group's folder and all above: each may have a limit. In a container the path leads outside of the mount."""
    group = base / path.lstrip("/")
    return [folder for folder in (group, *group.parents) if folder == base or base in folder.parents]
