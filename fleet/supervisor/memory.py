"""How much memory the fleet may use, and a worker's share of it for cached workflow runs."""

from __future__ import annotations

import os
from pathlib import Path

from .cgroups import MEMBERSHIP, ROOT, smallest_limit, text_of

CACHE_PERCENT = 40
"""Part of the allowed memory for the Lua states of cached runs. The rest is for the processes themselves, for functions
and for what an allocator needs beyond the bytes that it hands out."""

_UNLIMITED = 1 << 60
"""cgroup v1 writes no limit as the largest number of whole pages."""


def allowed_memory(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int:
    """Bytes: what the control group allows, and not more than the machine has."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = smallest_limit(
        "memory",
        lambda folder: _bytes(folder / "memory.max"),
        lambda folder: _bytes(folder / "memory.limit_in_bytes"),
        root,
        membership,
    )
    return machine if limit is None else min(machine, int(limit))


def cache_share(workers: int, memory: int) -> int:
    """Bytes that the cached runs of one of `workers` processes may hold together, when they may use `memory` bytes."""
    return memory * CACHE_PERCENT // 100 // max(workers, 1)


def _bytes(file: Path) -> float | None:
    text = text_of(file)
    return int(text) if text.isdecimal() and 0 < int(text) < _UNLIMITED else None
