"""Workflows and processes that live in different serving processes (decisions 26 and 29)."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from workflow_bench import Bench, as_module

import fleet

WORKER = Path(__file__).parents[1] / "workflow" / "worker_process.py"

ECHO = """
    local inbox = process.inbox()
    while true do
        local msg = inbox:receive()
        if msg:topic() == 'end' then return 'ended' end
        local n = msg:payload():data()
        time.sleep('100ms')
        assert(process.send(msg:from(), 'echo', {n = n, from = process.pid()}))
    end
"""

ASK = """
    local count = ...
    local pid = assert(process.spawn('app:echo', 'app:worker'))
    local replies, sum, inbox = process.listen('echo', {message = true}), {}, nil
    for i = 1, count do assert(process.send(pid, 'ask', i)) end
    for i = 1, count do
        local msg = replies:receive()
        assert(msg:from() == pid and msg:payload():data().from == pid)
        sum[i] = msg:payload():data().n
    end
    assert(process.send(pid, 'end'))
    return sum
"""


def applications(bench: Bench) -> tuple[Any, Path]:
    """The same application twice: one that serves no workflows, for this process, and one with workflows alone."""
    bench.workflow(ECHO, "echo", modules="time")
    bench.function(as_module(ASK), "ask", activity=False)
    bench.load()
    other = bench.root.with_name(bench.root.name + "-workflows")
    other.mkdir()
    for file in bench.root.glob("*.*"):
        (other / file.name).write_text(file.read_text())
    document = (bench.root / "_index.yaml").read_text()
    assert "kind: temporal.worker\n" in document
    disabled = "kind: temporal.worker\n  worker_options: {disable_workflow_worker: true}\n"
    (bench.root / "_index.yaml").write_text(document.replace("kind: temporal.worker\n", disabled))
    return fleet.load_app(bench.root), other


@asynccontextmanager
async def worker(root: Path, address: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A serving process of its own, killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, WORKER, root, address, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_request_and_reply_between_two_serving_processes(bench: Bench) -> None:
    app, other = applications(bench)
    async with worker(other, bench.address), bench.serving(app) as serving:
        assert await serving.functions.call_json("app:ask", [5]) == [1, 2, 3, 4, 5]


async def test_no_message_is_lost_or_doubled_when_the_worker_dies(bench: Bench) -> None:
    app, other = applications(bench)
    chance = random.Random(26)
    async with bench.serving(app) as serving:
        asking = asyncio.create_task(serving.functions.call_json("app:ask", [15]))
        for _ in range(3):
            async with worker(other, bench.address):
                await asyncio.wait([asking], timeout=chance.uniform(0.1, 0.8))
        async with worker(other, bench.address):
            assert await asking == list(range(1, 16))
