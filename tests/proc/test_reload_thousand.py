"""New code in the middle of a thousand running workflows: each ends once, and each activity has run once."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from chaos import RECORD, ledger
from supervised import Start, alive
from temporalio.client import Client, WorkflowHandle

COUNT = 1000
BEFORE = 50
"""Workflows that end before the reload."""

AFTER = 100
"""Workflows that go on after it. All others go on while it is under way."""

PACE = 20

FLOW = """\
local function main(order)
    process.listen("go"):receive()
    local step, err = funcs.call("app:append", {url = order.url, id = order.id, step = 1})
    if err then return nil, err end
    return {step = step, version = 1}
end
return { main = main }
"""


async def each(items: Iterable[Any], work: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    """What `work` returns for each item, some at the same time."""
    room = asyncio.Semaphore(32)

    async def one(item: Any) -> Any:
        async with room:
            return await work(item)

    return await asyncio.gather(*(one(item) for item in items))


@pytest.mark.timeout(600)
async def test_a_reload_amid_a_thousand_workflows(start: Start, app: Path, tmp_path: Path, server_address: str) -> None:
    queue = tmp_path.name
    index = (app / "_index.yaml").read_text()
    index = index.replace("[funcs, time]", "[funcs, process]").replace("[time]", "[http_client, json, time]")
    (app / "_index.yaml").write_text(index)
    (app / "flow.lua").write_text(FLOW)
    (app / "append.lua").write_text(RECORD)
    client = await Client.connect(server_address)
    # Permits begin few and follow the load: a thousand at once are no test of that.
    fleet = start(workers="2", scaling="off")
    with ledger() as (url, book):

        async def begin(number: int) -> WorkflowHandle[Any, Any]:
            id = f"{queue}-{number}"
            order = {"url": url, "id": id}
            return await client.start_workflow("app:flow", order, id=id, task_queue=queue)

        async def go(handle: WorkflowHandle[Any, Any]) -> None:
            await handle.signal("go", {})

        async def count(status: str) -> int:
            query = f'TaskQueue = "{queue}" AND ExecutionStatus = "{status}"'
            return (await client.count_workflows(query)).count

        await asyncio.to_thread(fleet.wait_ready, 2)
        handles = await each(range(COUNT), begin)
        first, middle, last = handles[:BEFORE], handles[BEFORE:-AFTER], handles[-AFTER:]
        await each(first, go)
        assert await each(first, lambda handle: handle.result()) == [{"step": 1, "version": 1}] * BEFORE
        before = fleet.pids()

        (app / "flow.lua").write_text(FLOW.replace("version = 1", "version = 2"))
        reload = asyncio.create_task(asyncio.to_thread(fleet.ask, "reload"))
        # They have tasks in hand, at every moment, on each worker that is replaced.
        for at in range(0, len(middle), PACE):
            await each(middle[at : at + PACE], go)
            await asyncio.sleep(0 if reload.done() else 0.1)
        assert await reload == {"ok": True, "error": ""}
        await each(last, go)
        while await count("Running"):
            await asyncio.sleep(0.2)
        assert await count("Completed") == COUNT
        # Workers that drain end what they have in hand: nothing was run a second time.
        assert book == Counter({(handle.id, 1): 1 for handle in handles})
        assert await each(last, lambda handle: handle.result()) == [{"step": 1, "version": 2}] * AFTER
    assert not set(before) & set(fleet.pids())
    assert [event["how"] for event in fleet.events("ended")] == ["exit code 0"] * 2
    assert not fleet.events("died")
    pids = fleet.pids()
    assert fleet.stop(signal.SIGTERM) == -signal.SIGTERM
    assert not [pid for pid in pids if alive(pid)]
