"""A fleet under load through deaths, stops, reloads and outages. `make chaos` is the long version."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from chaos import Chaos

SECONDS = float(os.environ.get("CHAOS_SECONDS", "12"))
SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1_000_000))
LIMIT = SECONDS + 100


@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize(
    "kinds",
    [["kill", "reload", "scale"], ["stop", "murder", "kill"], ["outage", "kill", "reload"]],
    ids=["workers", "supervisor", "server"],
)
async def test_every_workflow_ends_once(tmp_path: Path, kinds: list[str]) -> None:
    chaos = Chaos(tmp_path, SEED)
    print(f"CHAOS_SEED={SEED} CHAOS_SECONDS={SECONDS:g}")
    await chaos.run(SECONDS, most_running=20, kinds=kinds)
    print(chaos.report())
    assert chaos.handles and chaos.misfortunes
