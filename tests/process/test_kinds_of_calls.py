"""What every kind of call is as a process: activities, entries of kind process.lua run as activities, many at once."""

from __future__ import annotations

import re

from process_apps import LocalBench
from workflow_bench import Bench, as_module


async def test_activities_have_pids_and_inboxes(bench: Bench) -> None:
    bench.function(as_module("return {process.pid(), process.id()}"), "who")
    bench.lua(
        "process.lua",
        "proc",
        as_module(
            """
            local workflow = ...
            assert(process.send(workflow, 'ready'))
            return process.listen('go'):receive()
            """
        ),
        meta={"temporal": {"activity": {"worker": "app:worker"}}},
    )
    bench.workflow(
        """
        local future = funcs.async('app:proc', process.pid())
        local ready = process.listen('ready', {message = true}):receive()
        assert(process.send(ready:from(), 'go', 7))
        local value = future:response():receive():data()
        return {value, funcs.call('app:who')}
        """,
        modules="funcs",
    )
    outcome = await bench.run(same=False)
    value, (pid, id) = outcome.result
    assert (value, id) == (7, "app:who")
    assert re.fullmatch(r"\{n-[0-9a-f]{12}@app:who\|0x[0-9a-f]{5}\}", pid)


async def test_a_process_is_no_function(local: LocalBench) -> None:
    got = await local.call("return select(2, funcs.call('app:p')):kind()", p="return 1")
    assert got == "INVALID"


async def test_many_processes_come_and_go(local: LocalBench) -> None:
    """Each message is answered once and in order, each end is told once, and nothing is left."""
    got = await local.call(
        """
        local events, replies = process.events(), process.listen('reply', {message = true})
        local expected, pids = {}, {}
        for i = 1, 40 do
            pids[i] = assert(process.spawn_monitored('app:worker', 'app:host', i))
            expected[pids[i]] = 0
        end
        coroutine.spawn(function()
            for n = 1, 30 do
                for i = 1, 40 do assert(process.send(pids[i], 'n', n)) end
            end
        end)
        local wrong = 0
        for _ = 1, 30 * 40 do
            local msg = replies:receive()
            expected[msg:from()] = expected[msg:from()] + 1
            if msg:payload():data() ~= expected[msg:from()] then wrong = wrong + 1 end
        end
        for i = 1, 40 do
            if i % 3 == 0 then process.terminate(pids[i]) else process.send(pids[i], i % 3 == 1 and 'fail' or 'end') end
        end
        local ends, errors = {}, 0
        for _ = 1, 40 do
            local event = events:receive()
            ends[event.from] = (ends[event.from] or 0) + 1
            if event.result.error then errors = errors + 1 end
        end
        local once = 0
        for _, count in pairs(ends) do if count == 1 then once = once + 1 end end
        return {wrong, once, errors}
        """,
        worker="""
        local inbox = process.inbox()
        while true do
            local msg = inbox:receive()
            if msg:topic() == 'end' then return end
            if msg:topic() == 'fail' then error('as told') end
            process.send(msg:from(), 'reply', msg:payload():data())
        end
        """,
    )
    wrong, once, errors = got
    assert (wrong, once, errors) == (0, 40, 27)
    assert not local.node.processes
