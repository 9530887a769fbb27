"""Messages from workflows to processes outside Temporal (decision 26)."""

from __future__ import annotations

import asyncio

import pytest
from workflow_bench import Bench

from fleet.activity import LuaApplicationError, payloads
from fleet.process import Deliveries, Node

COLLECT = """
local function main(count)
    process.registry.register('collector')
    local inbox, seen = process.inbox(), {}
    for i = 1, count do
        local msg = inbox:receive()
        seen[i] = {msg:topic(), msg:payload():data() or 'nil', msg:from()}
    end
    return seen
end
return { main = main }
"""


async def collector(node: Node) -> str:
    """The PID of the function that collects, once it has one."""
    while (pid := node.names.lookup("collector")) is None:
        await asyncio.sleep(0.01)
    return pid


async def test_messages_arrive_in_order_with_the_pid_of_the_workflow(bench: Bench) -> None:
    bench.function(COLLECT, "collect", activity=False)
    bench.workflow(
        """
        local pid = ...
        local results = {}
        for i = 1, 3 do
            coroutine.spawn(function()
                local ok, err = process.send(pid, 'topic' .. i, {n = i})
                results[#results + 1] = ok
            end)
        end
        assert(process.send(pid, 'last'))
        return {#results, process.pid()}
        """
    )
    app = bench.load()
    for overrides in ({}, {"max_cached_workflows": 0}):
        async with bench.serving(app, **overrides) as serving:
            collecting = asyncio.create_task(serving.functions.call_json("app:collect", [4]))
            handle = await bench.start(serving, await collector(serving.node))
            outcome = await bench.outcome(handle)
            seen = await collecting
        count, pid = outcome.result
        assert count == 3
        assert seen == [
            ["topic1", {"n": 1}, pid],
            ["topic2", {"n": 2}, pid],
            ["topic3", {"n": 3}, pid],
            ["last", "nil", pid],
        ]
        await bench.replay(app, outcome)
        for scheduled in outcome.attributes("activity_task_scheduled"):
            assert scheduled.activity_type.name == "lua-fleet.deliver"


async def test_who_is_gone_is_not_found(bench: Bench) -> None:
    bench.function("return { main = function() return process.pid() end }", "short", activity=False)
    bench.workflow(
        """
        local gone = ...
        local ok, err = process.send(gone, 'hello')
        return {ok == nil, err:kind(), err:retryable(), err:message()}
        """
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        pid = await serving.functions.call_json("app:short")
        outcome = await bench.outcome(await bench.start(serving, pid))
        nobody = pid.replace(serving.node.id, "n-0123456789ab")
        second = await bench.outcome(await bench.start(serving, nobody))
    assert outcome.result == [True, "NOT_FOUND", False, f"process not found: {pid} has ended or never existed"]
    assert second.result[:3] == [True, "NOT_FOUND", False]
    assert "nobody takes messages" in second.result[3]
    await bench.replay(app, outcome)
    await bench.replay(app, second)


async def test_a_full_mailbox_makes_workflows_wait(bench: Bench) -> None:
    bench.entries.append({"name": "host", "kind": "process.host", "host": {"queue_size": 1}})
    bench.lua(
        "process.lua",
        "slow",
        """
        local function main()
            local go = process.listen('go')
            go:receive()
            local inbox, seen = process.inbox(), {}
            for i = 1, 4 do seen[i] = inbox:receive():payload():data() end
            return seen
        end
        return { main = main }
        """,
    )
    bench.function(
        """
        local function main()
            local pid = process.with_options({}):with_name('collector'):spawn_monitored('app:slow', 'app:host')
            return process.events():receive().result.value
        end
        return { main = main }
        """,
        "collect",
        activity=False,
        modules="time",
    )
    bench.workflow("for i = 1, 4 do assert(process.send(..., 'n', i)) end")
    app = bench.load()
    async with bench.serving(app) as serving:
        collecting = asyncio.create_task(serving.functions.call_json("app:collect"))
        pid = await collector(serving.node)
        process = serving.node.process(pid)
        assert process is not None
        handle = await bench.start(serving, pid)
        while process.mailbox.unread < 1:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        assert process.mailbox.unread == 1
        process.call.post(["message", "go", None, [payloads.encode(None)]])
        await bench.outcome(handle)
        assert await collecting == [1, 2, 3, 4]


async def test_a_message_that_comes_again_is_dropped(bench: Bench) -> None:
    bench.function(COLLECT, "collect", activity=False)
    app = bench.load()
    async with bench.serving(app) as serving:
        collecting = asyncio.create_task(serving.functions.call_json("app:collect", [2]))
        pid = await collector(serving.node)
        deliveries = Deliveries(serving.node)
        for id, value in (("a", 1), ("a", 1), ("b", 2), ("a", 1)):
            head = payloads.encode({"to": pid, "topic": "n", "id": id})
            deliveries.take([head, payloads.encode(value)])
        assert [one[1] for one in await collecting] == [1, 2]
        with pytest.raises(LuaApplicationError, match="not found"):
            deliveries.take([payloads.encode({"to": pid, "topic": "n", "id": "c"}), payloads.encode(3)])
