"""Spawning, watching and ending processes on one node (spec/lua_api.md, section 2)."""

from __future__ import annotations

import asyncio

import pytest
from process_apps import LocalBench

from fleet.activity import FunctionFailed


async def failure(local: LocalBench, text: str, **processes: str) -> tuple[str, str]:
    with pytest.raises(FunctionFailed) as caught:
        await local.call(text, **processes)
    return str(caught.value.error.kind), str(caught.value.error.message)


# ---- starting


async def test_exec_waits_for_the_result(local: LocalBench) -> None:
    got = await local.call(
        """
        local value, err = process.exec('app:add', 'app:host', 1, {n = 2})
        local none, failed = process.exec('app:fail', 'app:host')
        return {value, tostring(err), tostring(none), failed:kind(), failed:message(), failed:retryable()}
        """,
        add="local a, b = ... return a + b.n",
        fail="return nil, errors.new{message = 'no money', kind = 'CONFLICT', retryable = true}",
    )
    assert got == [3, "nil", "nil", "CONFLICT", "no money", True]


async def test_what_cannot_be_started_is_refused(local: LocalBench) -> None:
    local.function("fn", "return 1")
    got = await local.call(
        """
        local results = {}
        local function try(...)
            local pid, err = process.spawn(...)
            results[#results + 1] = {pid == nil, err:kind(), err:message()}
        end
        try('app:ok', 'app:nowhere')
        try('app:none', 'app:host')
        try('app:fn', 'app:host')
        try('app:ok')
        try('', 'app:host')
        try('app:ok', 'app:host', function() end)
        local pid, err = process.with_options({['temporal.workflow.id'] = 'x'}):spawn('app:ok', 'app:host')
        results[#results + 1] = {pid == nil, err:kind(), err:message()}
        results[#results + 1] = {true, select(2, process.exec('app:ok', 'app:nowhere')):kind(), ''}
        return results
        """,
        ok="return 1",
    )
    assert all(result[0] for result in got)
    assert [result[1] for result in got] == ["NOT_FOUND"] * 2 + ["INVALID"] * 5 + ["NOT_FOUND"]
    assert "host not found: app:nowhere" in got[0][2]
    assert "no entry app:none" in got[1][2]
    assert "app:fn is a function.lua" in got[2][2]
    assert "temporal.workflow.id has no meaning" in got[6][2]


async def test_context_is_inherited_and_overlaid(local: LocalBench) -> None:
    local.function("top", "return funcs.new():with_context({a = 1, b = 1}):call('app:main')")
    await local.call("return 0", show="return ctx.all()")
    await local.close()
    local.apps.entries = [entry for entry in local.apps.entries if entry["name"] != "main"]
    local.function(
        "main",
        """
        local plain = process.exec('app:show', 'app:host')
        local overlaid = process.with_context({b = 2}):exec('app:show', 'app:host')
        return {plain, overlaid}
        """,
    )
    local.open()
    assert await local.functions.call_json("app:top") == [{"a": 1, "b": 1}, {"a": 1, "b": 2}]


async def test_a_name_leads_to_the_process_that_has_it(local: LocalBench) -> None:
    got = await local.call(
        """
        local spawner = process.with_options({}):with_name('counter')
        local pid = spawner:with_message('add', 1):with_message('add', 2):spawn('app:counter', 'app:host')
        local same = spawner:with_message('add', 4):spawn('app:counter', 'app:host', 'ignored')
        local total = process.listen('total')
        process.send('counter', 'tell')
        local sum = total:receive()
        local named = process.registry.lookup('counter')
        process.send('counter', 'stop')
        total:receive()
        time.sleep('10ms')
        local after, err = process.registry.lookup('counter')
        return {pid == same, named == pid, sum, tostring(after), err:kind()}
        """,
        counter="""
        local sum, inbox = 0, process.inbox()
        while true do
            local msg = inbox:receive()
            if msg:topic() == 'add' then sum = sum + msg:payload():data() else process.send(msg:from(), 'total', sum) end
            if msg:topic() == 'stop' then return end
        end
        """,
    )
    assert got == [True, True, 7, "nil", "NOT_FOUND"]


async def test_names_are_registered_by_hand(local: LocalBench) -> None:
    got = await local.call(
        """
        local r = process.registry
        local pid = process.spawn('app:wait', 'app:host')
        local ok = r.register('me')
        local again = r.register('me', process.pid(), r.LOCAL)
        local taken, err = r.register('me', pid)
        local other = r.register('other', pid, r.STRONG)
        local bad = select(2, r.register('x', 'no pid')):kind()
        local scope = select(2, r.register('x', nil, 9)):kind()
        local dead = select(2, r.register('x', (pid:gsub('0x%x+', '0xfffff')))):kind()
        local removed, missing = r.unregister('me'), r.unregister('me')
        process.terminate('other')
        time.sleep('10ms')
        local gone = select(2, r.lookup('other')):message()
        return {ok, again, taken == nil, err:kind(), other, bad, scope, dead, removed, missing, gone}
        """,
        wait="time.sleep('1h')",
    )
    assert got == [
        *[True, True, True, "ALREADY_EXISTS", True, "INVALID", "INVALID", "NOT_FOUND", True, False],
        "name not registered: other",
    ]


# ---- watching


async def test_monitors_get_exit_with_result_or_error(local: LocalBench) -> None:
    got = await local.call(
        """
        local events = process.events()
        local good = process.spawn_monitored('app:good', 'app:host')
        local first = events:receive()
        local bad = process.spawn_monitored('app:bad', 'app:host')
        local second = events:receive()
        return {
            first.kind == process.event.EXIT, first.from == good, first.result.value, first.result.error == nil,
            math.abs(first.at - time.now():unix()) < 60,
            second.kind == process.event.EXIT, second.from == bad, second.result.value == nil,
            second.result.error:kind(), second.result.error:message(),
        }
        """,
        good="return {n = 1}",
        bad="error('broken')",
    )
    assert got[:9] == [True, True, {"n": 1}, True, True, True, True, True, "INTERNAL"]
    assert "bad.lua:2: broken" in got[9]


async def test_events_wait_until_somebody_asks_for_them(local: LocalBench) -> None:
    got = await local.call(
        """
        process.spawn_monitored('app:good', 'app:host')
        time.sleep('20ms')
        return process.events():receive().result.value
        """,
        good="return 5",
    )
    assert got == 5


async def test_monitor_and_unmonitor_later(local: LocalBench) -> None:
    got = await local.call(
        """
        local events = process.events()
        local function next_event()
            local timeout = time.after('50ms')
            local result = channel.select{events:case_receive(), timeout:case_receive()}
            return result.channel == events and result.value or nil
        end
        local a = process.spawn('app:wait', 'app:host')
        assert(process.monitor(a))
        assert(process.monitor(a))
        process.send(a, 'end')
        local watched, only_once = next_event(), next_event()
        local b = process.spawn_monitored('app:wait', 'app:host')
        assert(process.unmonitor(b))
        process.send(b, 'end')
        local unwatched = next_event()
        assert(process.monitor(b))
        local ended = next_event()
        assert(process.monitor((b:gsub('0x%x+', '0xfffff'))))
        local never = next_event()
        assert(process.unmonitor(b))
        local nobody, err = process.monitor('nobody')
        local itself, own = process.monitor(process.pid())
        return {
            watched.from == a, only_once == nil, unwatched == nil, ended.from == b, ended.result.error:kind(),
            never.result.error:kind(), nobody == nil, err:kind(), itself == nil, own:kind(),
        }
        """,
        wait="process.inbox():receive()",
    )
    assert got == [True, True, True, True, "NOT_FOUND", "NOT_FOUND", True, "NOT_FOUND", True, "INVALID"]


async def test_link_down_comes_for_abnormal_ends_only(local: LocalBench) -> None:
    got = await local.call(
        """
        process.set_options({trap_links = true})
        local events = process.events()
        local normal = process.spawn_linked('app:good', 'app:host')
        time.sleep('20ms')
        local bad = process.spawn_linked_monitored('app:bad', 'app:host')
        local kinds = {}
        for i = 1, 2 do
            local event = events:receive()
            kinds[event.kind] = event.from == bad and event.result.error:message() ~= ''
        end
        return {kinds, process.get_options().trap_links}
        """,
        good="return 5",
        bad="error('broken')",
    )
    assert got == [{"pid.exit": True, "pid.link.down": True}, True]


async def test_a_link_takes_down_who_does_not_trap(local: LocalBench) -> None:
    kind, message = await failure(
        local,
        """
        process.spawn_linked('app:bad', 'app:host')
        time.sleep('1h')
        """,
        bad="error('broken')",
    )
    assert kind == "INTERNAL" and message.startswith("linked process failed: {n-") and "broken" in message


async def test_termination_goes_along_links_and_reaches_monitors(local: LocalBench) -> None:
    got = await local.call(
        """
        local events = process.events()
        local a = process.spawn_monitored('app:chain', 'app:host', process.pid())
        local b = process.listen('child'):receive()
        process.monitor(b)
        assert(process.terminate(a))
        local texts = {}
        for i = 1, 2 do
            local event = events:receive()
            texts[event.from == a and 'a' or 'b'] = event.result.error:kind() .. ' ' .. event.result.error:message()
        end
        local again, err = process.terminate(a)
        return {texts.a, texts.b, again == nil, err:kind()}
        """,
        chain="""
        local top = ...
        process.send(top, 'child', (process.spawn_linked('app:wait', 'app:host')))
        time.sleep('1h')
        """,
        wait="while true do end",
    )
    assert got[0] == "CANCELED process terminated"
    assert got[1].startswith("INTERNAL linked process failed: {n-")
    assert got[2:] == [True, "NOT_FOUND"]


async def test_link_and_unlink_later(local: LocalBench) -> None:
    got = await local.call(
        """
        process.set_options({trap_links = true})
        local events = process.events()
        local a, b = process.spawn('app:wait', 'app:host'), process.spawn_linked('app:wait', 'app:host')
        assert(process.link(a))
        assert(process.unlink(b))
        process.terminate(b)
        process.terminate(a)
        local event = events:receive()
        local gone, err = process.link(a)
        local timeout = time.after('30ms')
        local more = channel.select{events:case_receive(), timeout:case_receive()}
        return {event.kind, event.from == a, gone == nil, err:kind(), more.channel == timeout, process.unlink(a)}
        """,
        wait="time.sleep('1h')",
    )
    assert got == ["pid.link.down", True, True, "NOT_FOUND", True, True]


async def test_options_are_checked(local: LocalBench) -> None:
    got = await local.call(
        """
        local results = {}
        for _, options in ipairs({5, {other = true}, {trap_links = 'yes'}}) do
            local ok, err = process.set_options(options)
            results[#results + 1] = {ok, err:kind()}
        end
        return {results, process.get_options()}
        """
    )
    assert got == [[[False, "INVALID"]] * 3, {"trap_links": False}]


# ---- cancelling


async def test_cancel_is_an_event(local: LocalBench) -> None:
    got = await local.call(
        """
        local pid = process.spawn_monitored('app:polite', 'app:host')
        assert(process.cancel(pid, 'enough'))
        local event = process.events():receive()
        return {event.result.value, process.pid()}
        """,
        polite="""
        local event = process.events():receive()
        return {kind = event.kind, reason = event.reason, from = event.from, deadline = event.deadline}
        """,
    )
    assert got[0] == {"kind": "pid.cancel", "reason": "enough", "from": got[1]}


async def test_the_deadline_of_a_cancel_holds(local: LocalBench) -> None:
    got = await local.call(
        """
        local pid = process.spawn_monitored('app:deaf', 'app:host')
        assert(process.cancel(pid, 20))
        local event = process.events():receive()
        return {event.result.error:kind(), event.result.error:message()}
        """,
        deaf="time.sleep('1h')",
    )
    assert got == ["CANCELED", "the deadline of its cancellation has passed"]


async def test_a_closing_node_tells_its_processes(local: LocalBench) -> None:
    local.function("main", "return process.spawn('app:polite', 'app:host')")
    local.process("polite", "local why = process.events():receive() print(why.kind)")
    local.process("deaf", "time.sleep('1h')")
    local.open()
    await local.functions.call_json("app:main")
    await asyncio.sleep(0)
    await local.node.close(5)
    assert not local.node.processes


async def test_exec_takes_its_process_with_it(local: LocalBench) -> None:
    local.function("main", "return process.exec('app:wait', 'app:host')")
    local.process("wait", "process.registry.register('waiting') time.sleep('1h')")
    local.open()
    call = asyncio.create_task(local.functions.call_json("app:main"))
    while local.node.names.lookup("waiting") is None:
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    while local.node.names.lookup("waiting") is not None:
        await asyncio.sleep(0.01)


# ---- upgrades


async def test_an_upgrade_keeps_pid_name_and_messages(local: LocalBench) -> None:
    got = await local.call(
        """
        local pid = process.with_options({}):with_name('it'):spawn_monitored('app:old', 'app:host')
        local replies = process.listen('reply')
        for i = 1, 3 do process.send('it', 'n', i) end
        local seen = {}
        for i = 1, 3 do seen[i] = replies:receive() end
        local event = process.events():receive()
        return {seen, event.from == pid, event.result.value[1] == pid, event.result.value[2]}
        """,
        old="""
        local msg = process.inbox():receive()
        process.send(msg:from(), 'reply', 'old ' .. msg:payload():data())
        while process.upgrade('app:new', {since = 1}) do end
        """,
        new="""
        local given = ...
        local inbox = process.inbox()
        for i = 1, 2 do
            local msg = inbox:receive()
            process.send(msg:from(), 'reply', 'new ' .. msg:payload():data())
        end
        return {process.pid(), given.since}
        """,
    )
    assert got == [["old 1", "new 2", "new 3"], True, True, 1]


async def test_what_cannot_be_upgraded_is_told_so(local: LocalBench) -> None:
    got = await local.call(
        """
        local none, err = process.upgrade()
        local failed = process.exec('app:lost', 'app:host')
        return {none == nil, err:kind(), failed}
        """,
        lost="local none, err = process.upgrade('app:nowhere') return err:kind()",
    )
    assert got == [True, "INVALID", "NOT_FOUND"]
