"""PIDs, messages and mailboxes of processes on one node (spec/lua_api.md, section 2; decisions 25 and 29)."""

from __future__ import annotations

import re

from process_apps import LocalBench

PID = re.compile(r"\{(n-[0-9a-f]{12})@app:main\|0x00001\}")


async def test_a_function_call_has_a_pid_and_an_inbox(local: LocalBench) -> None:
    pid, id, topic, sender, value, again = await local.call(
        """
        local pid = process.pid()
        process.send(pid, 'hello', {n = 1})
        local msg = process.inbox():receive()
        return {pid, process.id(), msg:topic(), msg:from(), msg:payload():data().n, process.pid() == pid}
        """
    )
    found = PID.fullmatch(pid)
    assert found and found[1] == local.node.id
    assert (id, topic, sender, value, again) == ("app:main", "hello", pid, 1, True)


async def test_a_process_answers(local: LocalBench) -> None:
    got = await local.call(
        """
        local pid, err = process.spawn('app:echo', 'app:host', 'hi')
        assert(pid, err)
        local replies = process.listen('reply')
        process.send(pid, 'ask', {n = 41})
        local first, second = replies:receive(), replies:receive()
        return {first, second, pid}
        """,
        echo="""
        local greeting = ...
        local msg = process.inbox():receive()
        process.send(msg:from(), 'reply', greeting)
        process.send(msg:from(), 'reply', msg:payload():data().n + 1)
        """,
    )
    assert got[:2] == ["hi", 42]
    assert re.fullmatch(r"\{n-[0-9a-f]{12}@app:host\|0x0000[0-9]\}", got[2])


async def test_messages_of_a_sender_keep_their_order_through_a_full_mailbox(local: LocalBench) -> None:
    local.apps.entries[0]["host"] = {"queue_size": 3}
    got = await local.call(
        """
        local pid = process.spawn('app:slow', 'app:host')
        for i = 1, 20 do assert(process.send(pid, 'n', i)) end
        return process.listen('sum'):receive()
        """,
        slow="""
        local inbox, seen, from = process.inbox(), {}, nil
        time.sleep('20ms')
        for i = 1, 20 do
            local msg = inbox:receive()
            seen[i], from = msg:payload():data(), msg:from()
        end
        process.send(from, 'sum', seen)
        """,
    )
    assert got == list(range(1, 21))


async def test_a_full_mailbox_holds_no_more_than_its_size(local: LocalBench) -> None:
    local.apps.entries[0]["host"] = {"queue_size": 2}
    got = await local.call(
        """
        local pid = process.spawn('app:deaf', 'app:host')
        local sent = 0
        coroutine.spawn(function()
            for i = 1, 5 do
                process.send(pid, 'n', i)
                sent = i
            end
        end)
        time.sleep('30ms')
        local before = sent
        process.terminate(pid)
        time.sleep('10ms')
        return {before, sent}
        """,
        deaf="time.sleep('1h')",
    )
    assert got == [2, 5], "the two fit, the third waits until the process is gone"


async def test_values_are_copies(local: LocalBench) -> None:
    got = await local.call(
        """
        local value = {list = {1, 2}}
        process.send(process.pid(), 'v', value)
        value.list[1] = 'changed'
        return process.listen('v'):receive()
        """
    )
    assert got == {"list": [1, 2]}


async def test_no_value_is_nil_and_several_are_a_list(local: LocalBench) -> None:
    got = await local.call(
        """
        local ch, msgs = process.listen('v'), process.listen('m', {message = true})
        process.send(process.pid(), 'v')
        process.send(process.pid(), 'v', 1, nil, 'x')
        process.send(process.pid(), 'm', 1, 2)
        local first = ch:receive()
        return {tostring(first), ch:receive(), #msgs:receive():payload()}
        """
    )
    assert got == ["nil", [1, None, "x"], 2]


async def test_what_cannot_be_sent_is_refused(local: LocalBench) -> None:
    got = await local.call(
        """
        local results = {}
        local function try(...)
            local ok, err = process.send(...)
            results[#results + 1] = {ok == nil, err:kind(), err:message()}
        end
        local gone = process.spawn('app:short', 'app:host')
        time.sleep('20ms')
        try(gone, 'hello')
        try((gone:gsub('0x%x+', '0xfffff')), 'hello')
        try('nobody', 'hello')
        try('{n-000000000000@app:host|0x00001}', 'hello')
        try(nil, 'hello')
        try(process.pid())
        try(process.pid(), '@reserved')
        try(process.pid(), '')
        try(process.pid(), 'f', function() end)
        results[#results + 1] = {pcall(process.send, 5, 'topic')}
        return results
        """,
        short="return 1",
    )
    kinds = [result[1] for result in got[:-1]]
    assert kinds == ["NOT_FOUND"] * 4 + ["INVALID"] * 5
    assert all(result[0] for result in got[:-1])
    assert "not found" in got[0][2] and "not found" in got[1][2] and "not found" in got[3][2]
    assert "could not resolve 'nobody'" in got[2][2]
    assert got[-1][0] is False and "string expected, got number" in got[-1][1]


async def test_what_nobody_reads_stays_until_somebody_does(local: LocalBench) -> None:
    got = await local.call(
        """
        for i = 1, 3 do process.send(process.pid(), i % 2 == 0 and 'even' or 'odd', i) end
        local odd = process.listen('odd')
        local first, second = odd:receive(), odd:receive()
        process.unlisten(odd)
        process.send(process.pid(), 'odd', 5)
        local inbox = process.inbox()
        return {first, second, inbox:receive():topic(), inbox:receive():payload():data()}
        """
    )
    assert got == [1, 3, "even", 5]


async def test_messages_wake_select(local: LocalBench) -> None:
    got = await local.call(
        """
        local ch, timeout = process.listen('answer'), time.after('5s')
        local me = process.pid()
        process.with_context({reply_to = me}):spawn('app:other', 'app:host')
        local result = channel.select{ch:case_receive(), timeout:case_receive()}
        return {result.channel == ch, result.value}
        """,
        other="process.send(ctx.get('reply_to'), 'answer', 7)",
    )
    assert got == [True, 7]
