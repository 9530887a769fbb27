"""Kills by the kernel for want of memory, as control groups count them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.supervisor.oom import OutOfMemoryKills


@pytest.fixture(params=["v2", "v1"])
def counter(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file with the count, of a group below another one."""
    membership, file = {
        "v2": ("0::/pod/fleet\n", "fs/pod/fleet/memory.events"),
        "v1": ("4:memory:/fleet\n0::/\n", "fs/memory/fleet/memory.oom_control"),
    }[request.param]
    (tmp_path / "cgroup").write_text(membership)
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    write(path, 3)
    return path


def write(counter: Path, count: int) -> None:
    counter.write_text(f"low 0\noom 9\noom_kill {count}\noom_group_kill 0\n")


def kills(tmp_path: Path) -> OutOfMemoryKills:
    return OutOfMemoryKills(tmp_path / "fs", tmp_path / "cgroup")


def test_each_kill_explains_one_death(counter: Path, tmp_path: Path) -> None:
    kernel = kills(tmp_path)
    assert not kernel.explain(1.0), "what was before the supervisor is not its own"
    write(counter, 5)
    assert [kernel.explain(2.0) for _ in range(3)] == [True, True, False]


def test_a_kill_is_remembered_while_its_victim_dies_and_not_for_ever(counter: Path, tmp_path: Path) -> None:
    kernel = kills(tmp_path)
    write(counter, 4)
    kernel.look(10.0)
    kernel.look(35.0)
    assert kernel.explain(39.0)
    write(counter, 5)
    kernel.look(50.0)
    assert not kernel.explain(90.0)


def test_without_a_count_nothing_is_explained(tmp_path: Path) -> None:
    assert not kills(tmp_path).explain(1.0)
    (tmp_path / "cgroup").write_text("0::/\n")
    assert not kills(tmp_path).explain(1.0)
