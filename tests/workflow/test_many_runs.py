"""Ten thousand runs leave no growth: in objects of the core, in the memory of the process."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from bare_run import BareRun, result

from fleet import _core
from fleet.workflow import WorkflowScripts

BODY = """
local id = ...
local seen = {}
local ch = channel.new(2)
coroutine.spawn(function() ch:send(id) time.sleep("1h") end)
local future = funcs.async("app:work", {id = id, text = ("x"):rep(1000)})
local value = funcs.call("app:work", {id = id})
return {(ch:receive()), value, tostring(errors.new("e")), uuid.v4()}
"""


def resident() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def one(app: Any, scripts: WorkflowScripts, number: int) -> None:
    """A run in one of the ways in which runs end: complete, evicted while it waits, never more than begun, failed."""
    run = BareRun(app, scripts=scripts)
    run.start(number)
    if number % 4:
        assert result(run.resolve(3, number))[:2] == [number, number]
    run.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ten_thousand_runs_leave_nothing(bench: Any) -> None:
    bench.workflow(BODY, modules="funcs time uuid")
    app = bench.load()
    scripts = WorkflowScripts(app)
    for number in range(500):
        one(app, scripts, number)
    gc.collect()
    before, objects = resident(), _core.live_objects()
    for number in range(10_000):
        one(app, scripts, number)
    gc.collect()
    # A state that leaked would be about 200 KB; ten thousand of anything of 1 KB would be 10 MB.
    assert resident() - before < 8 << 20
    assert _core.live_objects() == objects
    scripts.close()


async def test_hundreds_of_runs_on_a_server(bench: Any) -> None:
    bench.function("return { main = function(x) return x.id end }", "work")
    bench.workflow(
        "local id = ... time.sleep('50ms') return {(funcs.call('app:work', {id = id})), id}", modules="funcs time"
    )
    async with bench.serving(bench.load(), max_cached_workflows=20) as serving:

        async def run(number: int) -> None:
            outcome = await (await bench.start(serving, number)).result()
            assert outcome == [number, number]

        await asyncio.gather(*(run(number) for number in range(200)))
