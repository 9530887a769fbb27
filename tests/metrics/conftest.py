"""A directory for the files of slots."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.metrics.exposition import make_directory


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where the slots' files are."""
    made = make_directory(1)
    yield made
    shutil.rmtree(made)
