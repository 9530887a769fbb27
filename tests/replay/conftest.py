"""A recorded run, and ways to replay it; the run itself is in recorded_run.py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded_run import INDEX, ORDER, Recorded, Replay, record, write_app

from fleet.replay.session import ReplayReport, ReplaySession


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """One run of ORDER."""
    home = tmp_path_factory.mktemp("recorded")
    yield asyncio.run(record(home))


@pytest.fixture
def replay(recorded: Recorded, tmp_path: Path) -> Replay:
    """Replays the recorded run with another text of the workflow: `replay(old, new)` replaces `old` by `new`."""

    async def run(old: str = "", new: str = "", index: str = INDEX) -> ReplayReport:
        assert old in ORDER
        app = write_app(tmp_path / "app", ORDER.replace(old, new, 1) if old else ORDER, index)
        async with ReplaySession.open(app) as session:
            return await session.replay(recorded.history)

    return run
