"""Tasks, channels and select on the bare core (lua_api.md 3 and 4)."""

from __future__ import annotations

from typing import Any

import pytest

from fleet import _core


def test_results_cross_with_their_types(run_lua: Any) -> None:
    assert run_lua("return 1, 2.5, 'x', true, nil, {1,2}, {a=1}") == [1, 2.5, "x", True, None, [1, 2], {"a": 1}]


def test_spawned_coroutine_runs_first_and_spawner_continues(run_lua: Any) -> None:
    script = """
    local log = {}
    local ch = channel.new()
    coroutine.spawn(function() log[#log+1] = "a1"; ch:receive(); log[#log+1] = "a2" end)
    log[#log+1] = "main1"
    coroutine.spawn(function() log[#log+1] = "b1" end)
    log[#log+1] = "main2"
    ch:send(1)
    coroutine.yield()
    return log
    """
    assert run_lua(script) == [["a1", "main1", "b1", "main2", "a2"]]


def test_unbuffered_channel_hands_over(run_lua: Any) -> None:
    script = """
    local ch, got = channel.new(), {}
    coroutine.spawn(function() for i = 1, 3 do ch:send(i) end; ch:close() end)
    while true do
        local v, ok = ch:receive()
        if not ok then break end
        got[#got+1] = v
    end
    return got
    """
    assert run_lua(script) == [[1, 2, 3]]


def test_buffered_values_stay_readable_after_close(run_lua: Any) -> None:
    script = """
    local ch = channel.new(2)
    ch:send("a"); ch:send("b"); ch:close()
    local a, ok1 = ch:receive()
    local b, ok2 = ch:receive()
    local c, ok3 = ch:receive()
    return a, ok1, b, ok2, c, ok3
    """
    assert run_lua(script) == ["a", True, "b", True, None, False]


def test_select_takes_the_first_ready_case_in_order(run_lua: Any) -> None:
    script = """
    local a, b = channel.new(1), channel.new(1)
    b:send("late"); a:send("early")
    local r = channel.select{ b:case_receive(), a:case_receive() }
    return r.channel == b, r.value, r.ok
    """
    assert run_lua(script) == [True, "late", True]


def test_select_blocks_until_a_case_is_ready_and_leaves_the_other_queues(run_lua: Any) -> None:
    script = """
    local a, b = channel.new(), channel.new()
    coroutine.spawn(function() b:send(7) end)
    local first = channel.select{ a:case_receive(), b:case_receive() }
    coroutine.spawn(function() a:send(8) end)
    local second = channel.select{ a:case_receive(), b:case_receive() }
    return first.channel == b, first.value, second.channel == a, second.value
    """
    assert run_lua(script) == [True, 7, True, 8]


def test_select_sends(run_lua: Any) -> None:
    script = """
    local a, got = channel.new(), nil
    coroutine.spawn(function() got = a:receive() end)
    local r = channel.select{ a:case_send("x") }
    coroutine.yield()
    return r.channel == a, r.ok, got
    """
    assert run_lua(script) == [True, True, "x"]


def test_blocked_select_sender_is_received_from(run_lua: Any) -> None:
    script = """
    local a, b, seen = channel.new(), channel.new(), {}
    coroutine.spawn(function()
        local r = channel.select{ b:case_receive(), a:case_send("x") }
        seen[1] = r.channel == a
    end)
    local v = a:receive()
    coroutine.yield()
    return v, seen[1]
    """
    assert run_lua(script) == ["x", True]


def test_select_default(run_lua: Any) -> None:
    script = """
    local r = channel.select{ channel.new():case_receive(), default = true }
    local s = channel.select({ channel.new():case_receive() }, true)
    return r.default, r.ok, r.channel, s.default
    """
    assert run_lua(script) == [True, True, None, True]


def test_send_on_closed_channel_raises(run_lua: Any) -> None:
    script = """
    local ch = channel.new(); ch:close(); ch:close()
    local ok, err = pcall(ch.send, ch, 1)
    return ok, err
    """
    assert run_lua(script) == [False, "send on closed channel"]


def test_blocked_sender_learns_of_close(run_lua: Any) -> None:
    script = """
    local ch, result, err = channel.new(), "unset", nil
    coroutine.spawn(function() result, err = ch:send(1) end)
    ch:close()
    coroutine.yield()
    return result, err
    """
    assert run_lua(script) == [None, "CANCELED: channel closed"]


def test_blocking_inside_manual_coroutine_blocks_the_task(run_lua: Any) -> None:
    script = """
    local ch, out = channel.new(), {}
    coroutine.spawn(function() ch:send("v1"); ch:send("v2") end)
    local gen = coroutine.wrap(function() for _ = 1, 2 do coroutine.yield((ch:receive())) end end)
    out[1] = gen(); out[2] = gen()
    local co = coroutine.create(function(x) local y = coroutine.yield(x + 1); return ch:receive(), y end)
    local ok, a = coroutine.resume(co, 1)
    coroutine.spawn(function() ch:send("v3") end)
    local ok2, b, c = coroutine.resume(co, "y")
    return out, ok, a, ok2, b, c, coroutine.status(co)
    """
    assert run_lua(script) == [["v1", "v2"], True, 2, True, "v3", "y", "dead"]


def test_a_coroutine_blocked_in_a_channel_cannot_be_resumed_by_hand(run_lua: Any) -> None:
    script = """
    local ch = channel.new()
    local co = coroutine.create(function() return ch:receive() end)
    coroutine.spawn(function() coroutine.resume(co) end)
    local ok, err = coroutine.resume(co)
    return ok, err
    """
    ok, err = run_lua(script)
    assert not ok and "the scheduler runs" in err


def test_ten_thousand_coroutines(run_lua: Any) -> None:
    script = """
    local ch, n = channel.new(), 10000
    for i = 1, n do coroutine.spawn(function() ch:send(i) end) end
    local sum = 0
    for _ = 1, n do sum = sum + ch:receive() end
    return sum
    """
    assert run_lua(script) == [50005000]


def test_error_in_any_coroutine_fails_the_whole(run_lua: Any) -> None:
    with pytest.raises(Exception, match="script.lua:2: boom"):
        run_lua("local ch = channel.new()\ncoroutine.spawn(function() error('boom') end)\nch:receive()")


def test_pcall_is_transparent_to_blocking(run_lua: Any) -> None:
    script = """
    local ch = channel.new()
    coroutine.spawn(function() ch:send(5) end)
    local ok, v = pcall(function() return ch:receive() end)
    return ok, v
    """
    assert run_lua(script) == [True, 5]


@pytest.mark.parametrize("script", ["while true do end", "while true do pcall(function() while true do end end) end"])
def test_an_endless_loop_is_a_violation(run_lua: Any, script: str) -> None:
    with pytest.raises(_core.LuaViolation, match="time budget exceeded(.|\n)*script.lua:1") as caught:
        run_lua(script, seconds=0.2)
    assert caught.value.kind == "time"


def test_instruction_limit(run_lua: Any) -> None:
    with pytest.raises(_core.LuaViolation, match="instruction budget") as caught:
        run_lua("while true do end", instruction_limit=1_000_000)
    assert caught.value.kind == "instructions"


@pytest.mark.parametrize(
    "script",
    [
        "local t = {} for i = 1, 1e9 do t[i] = {i} end",
        "pcall(function() local t = {} for i = 1, 1e9 do t[i] = {} end end) return 1",
    ],
)
def test_unbounded_allocation_is_a_violation(run_lua: Any, script: str) -> None:
    with pytest.raises(_core.LuaViolation, match="memory limit exceeded") as caught:
        run_lua(script, memory_limit=4 << 20)
    assert caught.value.kind == "memory"


def test_endless_recursion_is_a_violation(run_lua: Any) -> None:
    with pytest.raises(_core.LuaViolation, match="stack overflow") as caught:
        run_lua("local function f() return 1 + f() end return f()", memory_limit=256 << 20)
    assert caught.value.kind == "stack"


def test_functions_are_sliced_instead(run_lua: Any) -> None:
    assert run_lua("local n = 0 for i = 1, 3e6 do n = n + 1 end return n", sliced=True, seconds=0.001) == [3000000]


def test_a_closed_state_has_no_live_objects(run_lua: Any) -> None:
    before = _core.live_objects()
    state = _core.LuaState(engine="test_engine")
    state.close()
    assert _core.live_objects() == before
