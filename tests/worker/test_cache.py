"""The workflow cache within its bytes: a real server, runs that hold memory, and a budget for a few of them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from temporalio.bridge.worker import Worker as BridgeWorker
from workflow_bench import Bench

from fleet.worker import cache
from fleet.worker.serve import Serving

MIB = 1 << 20

# Holds about half a MiB, and counts what comes until it is told to end.
KEEPER = """
local kept = {}
for i = 1, 32 do kept[i] = string.rep(string.char(64 + i), 16384) end
local inbox = process.listen("work")
local seen = 0
while true do
    local message = inbox:receive()
    if message == "end" then
        return { seen = seen, kept = #kept[32] }
    end
    seen = seen + 1
end
"""


async def many(bench: Bench, serving: Serving, runs: int, rounds: int, *, within: int | None = None) -> list[Any]:
    """Start runs, send each a message per round, end them; their results. Each round ends within so many bytes."""
    handles = await asyncio.gather(*(bench.start(serving) for _ in range(runs)))
    for _ in range(rounds):
        await asyncio.gather(*(handle.signal("work", "go") for handle in handles))
        for handle in handles:
            # Each has been through its task when the history says so, whatever it took.
            await bench.event(handle, "workflow_task_completed")
        while within is not None and serving.residents.bytes > within:
            await asyncio.sleep(0.02)
    await asyncio.gather(*(handle.signal("work", "end") for handle in handles))
    return await asyncio.gather(*(handle.result() for handle in handles))


async def test_all_complete_within_the_budget(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.workflow(KEEPER, modules="process")
    async with bench.serving(bench.load(), {"cache_bytes": 6 * MIB}) as serving:
        results = await many(bench, serving, 40, 2, within=6 * MIB)
        residents = serving.residents
        while len(residents):
            await asyncio.sleep(0.05)
    assert results == [{"seen": 2, "kept": 16384}] * 40
    assert residents.evictions["bytes"] >= 20
    assert residents.bytes == 0
    assert sum("workflow cache holds" in record.message for record in caplog.records) == 1


async def test_no_run_goes_while_there_is_room(bench: Bench) -> None:
    bench.workflow(KEEPER, modules="process")
    async with bench.serving(bench.load(), {"cache_bytes": 64 * MIB}) as serving:
        await many(bench, serving, 20, 2)
        residents = serving.residents
        while len(residents):
            await asyncio.sleep(0.05)
    assert residents.evictions == {"ended": 20}


async def test_a_run_larger_than_the_budget_stays(bench: Bench) -> None:
    bench.workflow(KEEPER, modules="process")
    async with bench.serving(bench.load(), {"cache_bytes": MIB // 8}) as serving:
        assert await many(bench, serving, 1, 3) == [{"seen": 3, "kept": 16384}]
        while len(serving.residents):
            await asyncio.sleep(0.05)
    assert serving.residents.evictions == {"ended": 1}


async def test_the_number_of_runs_is_a_bound_beside_it(bench: Bench) -> None:
    bench.workflow(KEEPER, modules="process")
    async with bench.serving(bench.load(), {"cache_bytes": 64 * MIB}, max_cached_workflows=3) as serving:
        results = await many(bench, serving, 12, 1)
        evictions = serving.residents.evictions
    assert results == [{"seen": 1, "kept": 16384}] * 12
    assert evictions["count"] >= 9
    assert "bytes" not in evictions


async def test_runs_with_local_activities_under_way_stay(bench: Bench) -> None:
    bench.function(
        'return { main = function() require("time").sleep("300ms") return 1 end }',
        "slow",
        modules="time",
        binding={"local": True},
    )
    bench.workflow(
        """
        local kept = string.rep("x", 400000)
        local sum = 0
        for _ = 1, 3 do sum = sum + funcs.new():call("app:slow") end
        return { sum = sum, kept = #kept }
        """,
        modules="funcs",
    )
    async with bench.serving(bench.load(), {"cache_bytes": MIB}) as serving:
        handles = await asyncio.gather(*(bench.start(serving) for _ in range(8)))
        results = await asyncio.gather(*(handle.result() for handle in handles))
        while len(serving.residents):
            await asyncio.sleep(0.05)
    assert results == [{"sum": 3, "kept": 400000}] * 8
    assert serving.residents.evictions == {"ended": 8}, "a run that goes would run its activities once more"


async def test_without_the_way_to_drop_a_run_the_count_bounds_and_one_warning_says_so(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(BridgeWorker, "request_workflow_eviction")
    monkeypatch.setattr(cache, "_warned", False)
    bench.workflow(KEEPER, modules="process")
    app = bench.load()
    for _ in range(2):
        async with bench.serving(app, {"cache_bytes": MIB}, max_cached_workflows=3) as serving:
            assert len(await many(bench, serving, 6, 1)) == 6
            assert serving.residents.evictions["count"] >= 3
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and "bounded" in r.message]
    assert "max_cached_workflows" in warning and "request_workflow_eviction" in warning


async def test_a_run_that_is_over_goes_after_a_query_too(bench: Bench) -> None:
    bench.workflow('require("workflow").set_query("state", "over") return 1', modules="workflow")
    async with bench.serving(bench.load(), {"cache_bytes": MIB}) as serving:
        handle = await bench.start(serving)
        assert await handle.result() == 1
        assert await handle.query("state") == "over"
        while len(serving.residents):
            await asyncio.sleep(0.05)
    assert serving.residents.evictions == {"ended": 2}
