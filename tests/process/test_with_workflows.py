"""Functions and processes start, watch, message and stop workflows (workflows.ja.md; spec/workflows.md, 3 to 9)."""

from __future__ import annotations

from typing import Any

from workflow_bench import Bench, as_module

COUNTER = """
local function main(input)
    local counter, ch = input.initial or 0, process.inbox()
    while true do
        local msg = ch:receive()
        if msg:topic() == 'increment' then counter = counter + msg:payload():data().amount end
        if msg:topic() == 'get' then process.send(msg:from(), 'value', {value = counter, from = process.pid()}) end
        if msg:topic() == 'finish' then return counter end
        if msg:topic() == 'fail' then return nil, errors.new{message = 'no', kind = 'CONFLICT', retryable = false} end
    end
end
return { main = main }
"""


async def run(bench: Bench, text: str, *args: Any, **functions: str) -> Any:
    """The result of a function with this body, served beside the counter workflow."""
    bench.workflow(COUNTER, "counter")
    bench.function(as_module(text), "fn", modules="time errors ctx")
    for name, body in functions.items():
        bench.workflow(body, name, modules="time ctx errors")
    async with bench.serving(bench.load()) as serving:
        return await serving.functions.call_json("app:fn", args)


async def test_request_and_reply(bench: Bench) -> None:
    got = await run(
        bench,
        """
        local pid = assert(process.spawn('app:counter', 'app:worker', {initial = 3}))
        local values = process.listen('value', {message = true})
        assert(process.send(pid, 'increment', {amount = 4}))
        assert(process.send(pid, 'get'))
        local msg = values:receive()
        process.send(pid, 'finish')
        return {msg:payload():data().value, msg:from() == pid, msg:payload():data().from == pid}
        """,
    )
    assert got == [7, True, True]


async def test_startup_messages_and_the_name_that_is_taken(bench: Bench) -> None:
    got = await run(
        bench,
        """
        local name = 'counter-' .. process.pid():sub(4, 15)
        local first = process.with_options({}):with_name(name)
            :with_message('increment', {amount = 2}):with_message('increment', {amount = 1})
        local pid = assert(first:spawn_monitored('app:counter', 'app:worker', {initial = 0}))
        local second = process.with_options({}):with_name(name):with_message('increment', {amount = 4})
        local same = assert(second:spawn('app:counter', 'app:worker', {initial = 999}))
        local third, err = process.with_options({
            ['temporal.workflow.id'] = name, ['temporal.workflow.id_conflict_policy'] = 'fail',
        }):spawn('app:counter', 'app:worker', {})
        process.send(pid, 'finish')
        local event = process.events():receive()
        return {pid == same, third == nil, err:kind(), event.kind, event.from == pid, event.result.value}
        """,
    )
    assert got == [True, True, "ALREADY_EXISTS", "pid.exit", True, 7]


async def test_exec_and_context(bench: Bench) -> None:
    got = await run(
        bench,
        """
        local value = assert(process.with_context({user = 'u1'}):exec('app:show', 'app:worker', {name = 'world'}))
        local none, err = process.exec('app:broken', 'app:worker')
        return {value, none == nil, err:kind(), err:message(), err:retryable()}
        """,
        show="local input = ... return {input.name, ctx.get('user')}",
        broken="return nil, errors.new{message = 'gone', kind = 'NotFound', retryable = false}",
    )
    assert got == [["world", "u1"], True, "NOT_FOUND", "gone", False]


async def test_links_break_when_a_workflow_ends_abnormally(bench: Bench) -> None:
    got = await run(
        bench,
        """
        assert(process.set_options({trap_links = true}))
        local events = process.events()
        local pid = assert(process.spawn('app:counter', 'app:worker', {}))
        assert(process.link(pid))
        assert(process.monitor(pid))
        assert(process.terminate(pid))
        local seen = {}
        for i = 1, 2 do
            local event = events:receive()
            seen[event.kind] = event.result.error:kind() .. ' ' .. event.result.error:message()
        end
        local failing = assert(process.spawn_linked('app:counter', 'app:worker', {}))
        process.send(failing, 'fail')
        local down = events:receive()
        local normal = assert(process.spawn_linked('app:counter', 'app:worker', {}))
        process.send(normal, 'finish')
        local finished = events:receive()
        return {seen, down.kind, down.from == failing, down.result.error:kind(), finished.kind, finished.result.value}
        """,
    )
    terminated = "CANCELED workflow terminated"
    assert got == [
        {"pid.exit": terminated, "pid.link.down": terminated},
        *["pid.link.down", True, "CONFLICT", "pid.exit", 0],
    ]


async def test_without_trap_links_the_caller_fails(bench: Bench) -> None:
    bench.function(
        as_module(
            """
            process.send(assert(process.spawn_linked('app:counter', 'app:worker', {})), 'fail')
            time.sleep('1h')
            """
        ),
        "linked",
        modules="time",
    )
    bench.function(
        as_module("local ok, err = funcs.call('app:linked') return {ok == nil, err:message()}"),
        "caller",
        modules="funcs",
    )
    bench.workflow(COUNTER, "counter")
    async with bench.serving(bench.load()) as serving:
        failed, message = await serving.functions.call_json("app:caller")
    assert failed and message.startswith("linked process failed: {app:temporal@app:worker|") and message.endswith("no")


async def test_unmonitor_and_unlink(bench: Bench) -> None:
    got = await run(
        bench,
        """
        process.set_options({trap_links = true})
        local pid = assert(process.spawn_linked_monitored('app:counter', 'app:worker', {}))
        assert(process.unmonitor(pid))
        assert(process.unlink(pid))
        assert(process.terminate(pid))
        local events, timeout = process.events(), time.after('1s')
        local silent = channel.select{events:case_receive(), timeout:case_receive()}.channel == timeout
        assert(process.monitor(pid))
        return {silent, events:receive().result.error:kind()}
        """,
    )
    assert got == [True, "CANCELED"]


async def test_cancel_with_deadline(bench: Bench) -> None:
    got = await run(
        bench,
        """
        local pid = assert(process.spawn_monitored('app:polite', 'app:worker'))
        assert(process.cancel(pid, '5s'))
        local event = process.events():receive()
        time.sleep('100ms')
        local ok, err = process.send(pid, 'hello')
        local cancelled, wrong = process.cancel(pid)
        return {event.result.value, ok == nil, err:kind(), cancelled == nil, wrong:kind()}
        """,
        polite="local event = process.events():receive() return {event.kind, event.deadline ~= nil}",
    )
    assert got == [["pid.cancel", True], True, "NOT_FOUND", True, "NOT_FOUND"]


async def test_what_does_not_exist(bench: Bench) -> None:
    got = await run(
        bench,
        """
        local results = {}
        local function try(ok, err) results[#results + 1] = {not ok, err and err:kind(), err and err:message()} end
        try(process.spawn('app:none', 'app:worker'))
        try(process.spawn('app:counter', 'app:elsewhere'))
        try(process.spawn('app:fn', 'app:worker'))
        try(process.send('{app:temporal@app:worker|never-was}', 'hello'))
        try(process.terminate('{app:temporal@app:worker|never-was}'))
        try(process.with_options({['temporal.workflow.nonsense'] = 1}):spawn('app:counter', 'app:worker', {}))
        assert(process.monitor('{app:temporal@app:worker|never-was}'))
        local event = process.events():receive()
        return {results, event.result.error:kind()}
        """,
    )
    kinds = [result[1] for result in got[0]]
    assert kinds == ["NOT_FOUND", "NOT_FOUND", "INVALID", "NOT_FOUND", "NOT_FOUND", "INVALID"]
    assert all(result[0] for result in got[0])
    assert got[1] == "NOT_FOUND"


async def test_processes_do_all_that_too(bench: Bench) -> None:
    bench.entries.append({"name": "host", "kind": "process.host"})
    bench.lua(
        "process.lua",
        "asker",
        as_module(
            """
            local workflow = ...
            process.send(workflow, 'get')
            return process.listen('value'):receive().value
            """
        ),
    )
    got = await run(
        bench,
        """
        local pid = assert(process.spawn('app:counter', 'app:worker', {initial = 9}))
        local value = assert(process.exec('app:asker', 'app:host', pid))
        process.send(pid, 'finish')
        return value
        """,
    )
    assert got == 9
