"""The control groups (v1 or v2) of this process, and their limits."""

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
    unified, own = folders(controller, root, membership)
    found = [*(v2(folder) for folder in unified), *(v1(folder) for folder in own)]
    return min((limit for limit in found if limit is not None), default=None)


def folders(controller: str, root: Path = ROOT, membership: Path = MEMBERSHIP) -> tuple[list[Path], list[Path]]:
    """The folders of the groups of this process, its own before those around it: of v2, and of `controller` in v1."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return [], []
    v2: list[Path] = []
    v1: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            v2 += _upward(root, path)
        elif controller in controllers.split(","):
            for base in (root / controllers, root / controller):
                v1 += _upward(base, path)
    return v2, v1


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
