"""Workflows of one activity and one timer on a real server: what a worker spends on each, and how many pass a second.

Each contender is a worker process on the CPU that is measured on; server and clients are on the others, if there are
others. CPU time is the worker's alone. The time of a workflow by the wall is that of all divided by their number.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Spent
from cpus import allowed, cpu_seconds, on_cpus
from history import TASK_QUEUE, WORKFLOW
from peer_worker import ACTIVITIES, RUNNERS
from temporalio.client import Client

from fleet.server import EmbeddedServer

HERE = Path(__file__).parent
GROUP = "end to end: a workflow of one activity and one timer"

WORKFLOWS = 60
"""In one round."""
IN_FLIGHT = 20


def others() -> list[int]:
    """Where server and clients run."""
    return allowed()[:-1] or allowed()


class Bench:
    """A server, and an event loop to talk to it."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        with on_cpus(others()):
            self._server = EmbeddedServer.start()
            self.address = self.runner.run(self._server.__aenter__()).address
            self.client = self.runner.run(Client.connect(self.address))

    async def run_workflows(self, count: int) -> None:
        """From the first one's start to the last one's end, IN_FLIGHT at a time."""
        free = asyncio.Semaphore(IN_FLIGHT)

        async def one() -> None:
            async with free:
                result = await self.client.execute_workflow(
                    WORKFLOW, ACTIVITIES, id=f"bench-{uuid.uuid4()}", task_queue=TASK_QUEUE
                )
            assert result in ({"done": ACTIVITIES}, {}), result

        await asyncio.gather(*(one() for _ in range(count)))

    async def round(self, pid: int) -> Spent:
        """What the worker process and the clock say of WORKFLOWS workflows."""
        cpu, wall = cpu_seconds(pid), time.perf_counter()
        await self.run_workflows(WORKFLOWS)
        return Spent(cpu_seconds(pid) - cpu, time.perf_counter() - wall)

    def close(self) -> None:
        """End the server."""
        self.runner.run(self._server.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with on_cpus(others()):
        bench = Bench()
        yield bench
        bench.close()


FLEETS = {
    "fleet": ("--scaling", "off", "--listen", "off"),
    "fleet, scaled and measured": ("--scaling", "on", "--listen", "127.0.0.1:0"),
}
"""Its options: without what the others do not have, and as it comes."""


def fleet_command(options: tuple[str, ...], socket: str) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "fleet", "supervise", str(HERE / "app"), "--workers", "1", *options),
        *("--control-socket", socket, "--log-format", "json"),
    )


@asynccontextmanager
async def worker(contender: str, address: str) -> AsyncIterator[int]:
    """The contender's worker process, which polls; its process id."""
    cpu = allowed()[-1]
    with tempfile.TemporaryDirectory() as directory:
        if contender in FLEETS:
            command = fleet_command(FLEETS[contender], f"{directory}/control.sock")
        else:
            command = (sys.executable, str(HERE / "peer_worker.py"), contender, address, str(cpu))
        # Of a fleet only the worker is measured; all of it is on the CPU.
        with on_cpus([cpu]):
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**os.environ, "TEMPORAL_ADDRESS": address, "PYTHONPATH": str(HERE.parent)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        try:
            yield await _polling(contender, process)
        finally:
            process.terminate()
            await process.communicate()


async def _polling(contender: str, process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    seen = []
    async for raw in process.stdout:
        line = raw.decode()
        seen.append(line)
        if contender not in FLEETS and line == "ready\n":
            return process.pid
        if contender in FLEETS and (event := json.loads(line)).get("event") == "ready":
            return int(event["pid"])
    raise RuntimeError(f"the worker of {contender} has ended:\n{''.join(seen)}")


CONTENDERS = (*FLEETS, *reversed(RUNNERS))


@pytest.mark.parametrize("contender", CONTENDERS)
def test_end_to_end(measure: Any, bench: Bench, contender: str) -> None:
    serving = worker(contender, bench.address)
    pid = bench.runner.run(serving.__aenter__())
    bench.runner.run(bench.run_workflows(IN_FLIGHT))
    measure(GROUP, contender, lambda: bench.runner.run(bench.round(pid)), operations=WORKFLOWS, rounds=3, warmup=0)
    bench.runner.run(serving.__aexit__(None, None, None))
