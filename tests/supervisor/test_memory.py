"""Memory: the cgroup's limit, and the share of a worker's cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleet.supervisor.memory import allowed_memory, cache_share
from fleet.supervisor.settings import resolve

MIB = 1 << 20
MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def allowed(tmp_path: Path, membership: str, files: dict[str, str]) -> int:
    for name, text in files.items():
        file = tmp_path / "fs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "cgroup").write_text(membership)
    return allowed_memory(tmp_path / "fs", tmp_path / "cgroup")


def test_v2_the_smallest_of_the_groups_around(tmp_path: Path) -> None:
    files = {"a/b/memory.max": "max\n", "a/memory.max": f"{512 * MIB}\n"}
    assert allowed(tmp_path, "0::/a/b\n", files) == 512 * MIB


def test_v1(tmp_path: Path) -> None:
    assert allowed(tmp_path, "4:memory:/x\n", {"memory/x/memory.limit_in_bytes": f"{300 * MIB}\n"}) == 300 * MIB


@pytest.mark.parametrize("text", ["max", "9223372036854771712", "", "nonsense", str(MACHINE * 2)])
def test_never_more_than_the_machine_has(tmp_path: Path, text: str) -> None:
    files = {"memory/memory.limit_in_bytes": text, "memory.max": text}
    assert allowed(tmp_path, "1:memory:/\n0::/\n", files) == MACHINE


def test_workers_share_a_part() -> None:
    assert cache_share(4, 1000 * MIB) == 100 * MIB


def test_settings() -> None:
    settings, _ = resolve({}, {}, None)
    assert (settings.cache_memory, settings.max_cached_workflows) == (None, 1000)
    settings, _ = resolve({"cache_memory": "256MiB"}, {"FLEET_MAX_CACHED_WORKFLOWS": "0"}, None)
    assert (settings.cache_memory, settings.max_cached_workflows) == (256 * MIB, 0)
