"""A bench for each test of processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from process_apps import Bench


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """An empty application; closed at the end of the test."""
    bench = Bench(tmp_path)
    yield bench
    await bench.close()
