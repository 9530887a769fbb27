"""What all tests share: in a debug build of the core, every test ends with as many live C objects as it began with."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from fleet import _core

pytest_plugins = ["server_fixtures"]


def pytest_configure() -> None:
    if os.environ.get("FLEET_EXPECT_BUILD") == "debug" and not _core.live_objects():
        raise pytest.UsageError(f"{_core.__file__} is no debug build: it counts no live objects")


@pytest.fixture(autouse=True)
def balanced_books() -> Iterator[None]:
    gc.collect() if _core.live_objects() else None
    before = _core.live_objects()
    yield
    if before:
        gc.collect()
        assert _core.live_objects() == before, "the test leaves live C objects behind"
