"""CPUs: the mask and the quota, never the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleet.supervisor.cpus import allowed_cpus, assign, cgroup_quota, default_workers


def test_the_mask_is_what_is_allowed() -> None:
    mask = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {max(mask)})
        assert allowed_cpus() == [max(mask)]
    finally:
        os.sched_setaffinity(0, mask)


@pytest.mark.parametrize(
    ("cpus", "quota", "expected"), [(4, None, 4), (4, 2.0, 2), (4, 1.5, 2), (4, 0.25, 1), (2, 8.0, 2), (1, None, 1)]
)
def test_workers(cpus: int, quota: float | None, expected: int) -> None:
    assert default_workers(range(cpus), quota) == expected


def test_more_slots_than_cpus_share_them() -> None:
    assert [assign([2, 5], slot) for slot in range(5)] == [2, 5, 2, 5, 2]


def group(tmp_path: Path, membership: str, files: dict[str, str]) -> float | None:
    for name, text in files.items():
        file = tmp_path / "fs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "cgroup").write_text(membership)
    return cgroup_quota(tmp_path / "fs", tmp_path / "cgroup")


def test_v2(tmp_path: Path) -> None:
    assert group(tmp_path, "0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n"}) == 1.5


def test_v2_in_a_container_where_the_path_leads_outside_of_the_mount(tmp_path: Path) -> None:
    assert group(tmp_path, "0::/../../kubepods/pod1\n", {"cpu.max": "50000 100000\n"}) == 0.5


def test_v1(tmp_path: Path) -> None:
    files = {"cpu,cpuacct/x/cpu.cfs_quota_us": "400000\n", "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n"}
    assert group(tmp_path, "5:memory:/x\n4:cpu,cpuacct:/x\n", files) == 4.0


@pytest.mark.parametrize("text", ["-1", "max", "", "nonsense"])
def test_no_limit(tmp_path: Path, text: str) -> None:
    files = {"cpu/cpu.cfs_quota_us": text, "cpu/cpu.cfs_period_us": "100000", "cpu.max": f"{text} 100000"}
    assert group(tmp_path, "1:cpu:/\n0::/\n", files) is None


def test_no_cgroups_at_all(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path, tmp_path / "none") is None
