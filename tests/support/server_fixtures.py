"""One embedded server for the tests of a process, and a bench on it for each test that asks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenario import Stage
from workflow_bench import Bench

from fleet.server import EmbeddedServer


@pytest.fixture(scope="session")
def server_address() -> Iterator[str]:
    """The address of one embedded server for all tests of this process. It has a loop and a thread of its own."""
    started, stop, box = threading.Event(), threading.Event(), {}

    async def main() -> None:
        async with EmbeddedServer.start() as server:
            box["address"] = server.address
            started.set()
            await asyncio.to_thread(stop.wait)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            box["error"] = error
        finally:
            started.set()

    thread = threading.Thread(target=run, name="embedded server")
    thread.start()
    started.wait()
    if "error" in box:
        raise box["error"]
    yield box["address"]
    stop.set()
    thread.join()


@pytest.fixture
def bench(server_address: str, tmp_path: Path) -> Bench:
    """A fresh application on the test server."""
    return Bench(server_address, tmp_path)


@pytest.fixture
def stage(server_address: str, tmp_path: Path) -> Stage:
    """A fresh application on the test server, for scenarios."""
    return Stage(server_address, tmp_path)
