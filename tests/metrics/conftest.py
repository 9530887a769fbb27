"""A directory for the files of slots, and Prometheus's own judge of what is served."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.metrics.exposition import make_directory


def debian_program(name: str) -> str:
    """The path of a program of Debian's package prometheus; skips the test without it, except in CI."""
    path = shutil.which(name)
    if path is None:
        reason = f"{name} is missing: make prometheus"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return path


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where the slots' files are."""
    made = make_directory()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def promtool_check() -> Callable[[bytes], None]:
    """Fails the test when `promtool check metrics` finds something in a page."""

    def check(page: bytes) -> None:
        command = [debian_program("promtool"), "check", "metrics"]
        done = subprocess.run(command, input=page, capture_output=True, timeout=30)
        assert (done.returncode, done.stderr.decode()) == (0, "")

    return check
