"""A bench for each test of processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from process_apps import LocalBench


@pytest_asyncio.fixture
async def local(tmp_path: Path) -> AsyncIterator[LocalBench]:
    """An empty application; closed at the end of the test."""
    local = LocalBench(tmp_path)
    yield local
    await local.close()
