"""What all tests share: in a debug build of the core, every test ends with as many live C objects as it began with."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet import _core

pytest_plugins = ["server_fixtures"]

SLOW = ("proc", "workflow", "spec", "outside", "process", "cli", "examples")
"""Rooms whose tests wait for servers and processes. They come first: a long file that is left for the end is waited for
by all the others."""


def pytest_configure() -> None:
    if os.environ.get("FLEET_EXPECT_BUILD") == "debug" and not _core.live_objects():
        raise pytest.UsageError(f"{_core.__file__} is no debug build: it counts no live objects")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parents[1]
    rooms = {room: place for place, room in enumerate(SLOW)}
    items.sort(key=lambda item: rooms.get(item.path.relative_to(root).parts[1], len(SLOW)))


@pytest.fixture(autouse=True)
def balanced_books() -> Iterator[None]:
    gc.collect() if _core.live_objects() else None
    before = _core.live_objects()
    yield
    if before:
        gc.collect()
        assert _core.live_objects() == before, "the test leaves live C objects behind"
