"""Workers are killed and restarted at random while clients go on: no message, event or result is lost or doubled."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from test_crash import worker
from workflow_bench import Outcome

SEEDS = [1, 2]

# Each death costs the start of a process; on a machine with much else to do a scenario takes minutes.
pytestmark = pytest.mark.timeout(300)
DEATHS = 3

# A task that died with its worker is given out again after this time; the default is 10 s.
TASK_TIMEOUT = timedelta(seconds=1)
CHILDREN = 'process.with_options({["workflow.task_timeout"] = "1s"})'


class Mortality:
    """One worker at a time: killed DEATHS times, then left alone."""

    def __init__(self, bench: Any, chance: random.Random) -> None:
        self.over = False
        self._bench, self._chance = bench, chance

    @asynccontextmanager
    async def reign(self) -> AsyncIterator[None]:
        """Workers live and die within the block."""
        task = asyncio.create_task(self._lives())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _lives(self) -> None:
        for _ in range(DEATHS):
            async with worker(self._bench) as process:
                await asyncio.sleep(self._chance.uniform(0.05, 0.9))
                process.kill()
                await process.wait()
        self.over = True
        async with worker(self._bench):
            await asyncio.Event().wait()


Client = Callable[[random.Random, Mortality], Coroutine[Any, Any, list[WorkflowHandle[Any, Any]]]]


async def start(bench: Any, *args: Any, name: str = "wf") -> WorkflowHandle[Any, Any]:
    """Start a workflow; no worker need be there."""
    client = await bench.client()
    handle: WorkflowHandle[Any, Any] = await client.start_workflow(
        f"app:{name}",
        args=args,
        id=f"{name}-{uuid.uuid4().hex}",
        task_queue=bench.queue,
        task_timeout=TASK_TIMEOUT,
        execution_timeout=timedelta(seconds=120),
    )
    return handle


async def endure(bench: Any, seed: int, client: Client) -> list[Outcome]:
    """Let `client` start and use workflows while their workers die; how those workflows end, in order."""
    app, chance = bench.load(), random.Random(seed)
    mortality = Mortality(bench, chance)
    async with mortality.reign():
        handles = await client(chance, mortality)
        outcomes = [await bench.outcome(handle) for handle in handles]
    for outcome in outcomes:
        await bench.replay(app, outcome)
    return outcomes


@pytest.mark.parametrize("seed", SEEDS)
async def test_signals_through_continuations(bench: Any, seed: int) -> None:
    bench.workflow(
        """
    local got, total = ...
    got = got or {}
    local ch, inbox = process.listen("a"), process.inbox()
    for i = 1, 7 do
        local picked = channel.select{ch:case_receive(), inbox:case_receive()}
        local value = picked.channel == ch and picked.value or picked.value:payload():data()
        if type(value) == "table" then total = value.total else got[#got + 1] = value end
        if #got == total then return got end
        if i % 3 == 0 then time.sleep("20ms") end
    end
    workflow.continue_as_new(got, total)
    """,
        modules="workflow time",
    )
    sent = 0

    async def client(chance: random.Random, mortality: Mortality) -> list[WorkflowHandle[Any, Any]]:
        nonlocal sent
        handle = await start(bench)
        while not mortality.over:
            await handle.signal("ab"[sent % 2], sent)
            sent += 1
            await asyncio.sleep(chance.uniform(0, 0.2))
        await handle.signal("a", {"total": sent})
        return [handle]

    (outcome,) = await endure(bench, seed, client)
    assert outcome.failure is None, outcome.failure
    got = outcome.result
    assert sorted(got) == list(range(sent))
    assert [n for n in got if n % 2 == 0] == list(range(0, sent, 2)), "a listener's messages in order"
    assert [n for n in got if n % 2 == 1] == list(range(1, sent, 2)), "the inbox's messages in order"


@pytest.mark.parametrize("seed", SEEDS)
async def test_children_and_startup_messages(bench: Any, seed: int) -> None:
    bench.workflow(
        """
    local n = ...
    local inbox, got = process.inbox(), {}
    for i = 1, 4 do got[i] = inbox:receive():payload():data() end
    time.sleep("50ms")
    return {n = n, got = got}
    """,
        name="child",
        modules="time",
    )
    bench.workflow(
        f"""
    local events, results, pids = process.events(), {{}}, {{}}
    for n = 1, 3 do
        local named = {CHILDREN}:with_name(workflow.info().workflow_id .. "-" .. n)
        local pid = assert(named:with_message("m", 1):with_message("m", 2):spawn("app:child", "app:worker", n))
        time.sleep("10ms")
        assert(named:with_message("m", 3):with_message("m", 4):spawn("app:child", "app:worker", n) == pid)
        pids[pid] = n
    end
    for _ = 1, 3 do
        local event = events:receive()
        assert(event.result.value.n == pids[event.from])
        results[event.result.value.n] = event.result.value.got
    end
    return results
    """,
        modules="workflow time",
    )

    async def client(chance: random.Random, mortality: Mortality) -> list[WorkflowHandle[Any, Any]]:
        handles = []
        while not mortality.over:
            handles.append(await start(bench))
            await asyncio.sleep(chance.uniform(0.3, 1))
        return handles

    for outcome in await endure(bench, seed, client):
        assert outcome.result == [[1, 2, 3, 4]] * 3, outcome.failure


async def disturb(
    chance: random.Random,
    compensates: WorkflowHandle[Any, Any],
    reads: WorkflowHandle[Any, Any],
    ignores: WorkflowHandle[Any, Any],
) -> None:
    """Cancel all of them, and let `reads` continue as new, in any order."""
    requests = [
        lambda: compensates.cancel(reason="enough"),
        lambda: reads.cancel(reason="lua-fleet-deadline=60000ms"),
        lambda: reads.signal("go"),
        lambda: ignores.cancel(reason="lua-fleet-deadline=200ms"),
    ]
    chance.shuffle(requests)
    for request in requests:
        await request()
        await asyncio.sleep(chance.uniform(0, 0.3))


@pytest.mark.parametrize("seed", SEEDS)
async def test_cancellations(bench: Any, seed: int) -> None:
    bench.workflow("time.sleep('1h')", name="child", modules="time")
    bench.workflow(
        f"""
    local log, _, err = {{}}, {CHILDREN}:exec("app:child", "app:worker")
    for i = 1, 3 do
        time.sleep("50ms")
        log[i] = i
    end
    log[4] = err:kind()
    return log
    """,
        name="compensates",
        modules="time",
    )
    bench.workflow(
        """
    local events = process.events()
    if not ... then
        process.listen("go"):receive()
        workflow.continue_as_new(2)
    end
    local event = events:receive()
    time.sleep("50ms")
    local more = channel.select{events:case_receive(), default = true}
    return {event.kind, event.deadline, more.default}
    """,
        name="reads",
        modules="time workflow",
    )
    bench.workflow("while true do pcall(time.sleep, '1h') end", name="ignores", modules="time")

    async def client(chance: random.Random, mortality: Mortality) -> list[WorkflowHandle[Any, Any]]:
        handles = []
        while not mortality.over:
            compensates, reads, ignores = [
                await start(bench, name=name) for name in ("compensates", "reads", "ignores")
            ]
            await asyncio.sleep(chance.uniform(0, 0.5))
            await disturb(chance, compensates, reads, ignores)
            handles += [compensates, reads, ignores]
        return handles

    outcomes = await endure(bench, seed, client)
    for compensates, reads, ignores in zip(*(outcomes[n::3] for n in range(3)), strict=True):
        assert compensates.result == [1, 2, 3, "CANCELED"], compensates.failure
        assert reads.result == ["pid.cancel", 60_000_000_000, True], reads.failure
        assert ignores.canceled
