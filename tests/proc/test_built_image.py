"""The image: what the steps of the Dockerfile made (make image), and the pods of the chart in it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from helm_chart import ROOT, only, pod_of
from helm_release import ask, run_flow, values, wait_ready
from pod_node import StartNode


@pytest.fixture
def image() -> Path:
    """The directory of the image. Only `make image` says it, for it takes minutes to make one."""
    directory = os.environ.get("FLEET_IMAGE")
    if not directory:
        pytest.skip("no image: make image")
    return Path(directory).absolute()


@pytest.fixture
def config(image: Path) -> dict[str, Any]:
    """What the image says beside its files."""
    found: dict[str, Any] = json.loads((image / "image.json").read_text())
    return found


def test_it_says_what_it_is_and_runs_the_fleet_as_process_1_without_root(config: dict[str, Any]) -> None:
    labels = {name.rpartition(".")[2]: value for name, value in config["labels"].items()}
    assert set(labels) == {"title", "description", "licenses", "version", "revision", "created"}
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    assert labels["revision"] == head and "unknown" not in labels.values()
    assert (config["entrypoint"], config["cmd"]) == (["fleet"], ["supervise", "/app"])
    assert config["user"] == "10001:10001" and config["ports"] == [9600]


def test_nothing_in_it_compiles_installs_or_can_be_changed_by_its_user(image: Path) -> None:
    root = image / "root"
    programs = {
        file.name for folder in ("usr/bin", "usr/local/bin", "opt/fleet/bin") for file in (root / folder).iterdir()
    }
    assert programs.isdisjoint({"gcc", "cc", "c++", "ld", "as", "make", "pip", "pip3", "temporal"})
    assert {"fleet", "python"} <= programs
    for path in (root / "opt/fleet").rglob("*"):
        found = path.lstat()
        assert (found.st_uid, found.st_gid) == (0, 0), path
        assert stat.S_ISLNK(found.st_mode) or not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH), path
    assert not list((root / "opt/fleet").rglob("fleet/**/*.pyx")) and not (root / "source").exists()


def test_the_pods_of_the_chart_run_in_it(
    image: Path, start_node: StartNode, server_address: str, tmp_path: Path
) -> None:
    node = start_node(values(server_address, tmp_path.name))
    node.image = image
    container = node.start(pod_of(node.objects)["spec"])
    wait_ready(container, node.objects)
    assert run_flow(container) == "2\n"
    assert "fleet_build_info" in ask(container, node.objects, "/metrics")
    where = container.run(["python", "-c", "import fleet; print(fleet.__file__)"]).stdout
    assert where.startswith("/opt/fleet/"), "the installed wheel, not the checkout"
    smoke = node.start(only(node.objects, "Pod", "-smoke")["spec"])
    assert smoke.process.wait(100) == 0, smoke.log
