"""time.sleep, after, timer and ticker: what they do, and where workflows differ from functions (lua_api.md 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from virtual_runs import START, ScriptError

from fleet._core import LuaError

Runs = Callable[..., Any]

SECOND = 1_000_000_000


def test_sleep_takes_every_form_of_duration(either: Runs) -> None:
    run = either("""
        time.sleep("1h30m")
        time.sleep(100 * time.MILLISECOND)
        time.sleep(1.5 * time.SECOND)
        time.sleep(time.parse_duration("250us"))
        return select("#", time.sleep(1))
    """)
    assert run.finish() == 0
    assert run.armed == [5400 * SECOND, 100_000_000, 1_500_000_000, 250_000, 1]


def test_sleep_of_nothing_returns_at_once(either: Runs) -> None:
    run = either('return select("#", time.sleep(0), time.sleep("0"))')
    assert run.finish() == 1
    assert run.armed == []


def test_negative_sleep_returns_at_once_outside_workflows(function: Runs) -> None:
    run = function('return select("#", time.sleep(-1))')
    assert run.finish() == 0
    assert run.armed == []


def test_negative_sleep_in_a_workflow_is_invalid(workflow: Runs) -> None:
    run = workflow(
        'local v, err = time.sleep("-1s") return {tostring(v), err:kind(), err:message(), tostring(err:retryable())}'
    )
    assert run.finish() == [
        "nil",
        "INVALID",
        "invalid duration -1s: a workflow cannot sleep for less than nothing",
        "false",
    ]


@pytest.mark.parametrize("given", ['"abc"', '""', '"1"', '"1x"', "nil", "{}", "true", "0/0", "1e300", '"99999999999h"'])
@pytest.mark.parametrize("name", ["sleep", "after", "timer", "ticker", "parse_duration"])
def test_what_is_no_duration_is_invalid(either: Runs, name: str, given: str) -> None:
    value, kind, message = either(
        f"local v, err = time.{name}({given}) return {{tostring(v), err:kind(), err:message()}}"
    ).finish()
    assert (value, kind) == ("nil", "INVALID")
    assert message.startswith("invalid duration ") and "expected a number of nanoseconds" in message


@pytest.mark.parametrize("given", ["0", "-1", '"-5s"', '"0"'])
@pytest.mark.parametrize("name", ["after", "timer", "ticker"])
def test_channels_of_time_want_a_positive_duration(either: Runs, name: str, given: str) -> None:
    run = either(f"local v, err = time.{name}({given}) return {{tostring(v), err:kind(), err:message()}}")
    assert run.finish() == ["nil", "INVALID", "duration must be > 0"]


def test_now_is_the_time_of_the_activation(workflow: Runs) -> None:
    run = workflow("""
        local a, b = time.now(), time.now()
        time.sleep("1s")
        return {a:unix_nano(), b:unix_nano(), time.now():unix_nano(), time.now():sub(a):milliseconds()}
    """)
    assert run.finish() == [START, START, START + SECOND, 1000]


def test_now_outside_workflows_is_the_clock(function: Runs) -> None:
    assert function(
        'local a = time.now() time.sleep("2s") return {a:unix_nano(), time.now():sub(a):seconds()}'
    ).finish() == [START, 2]


def test_after_delivers_the_time_and_closes_outside_workflows(function: Runs) -> None:
    run = function("""
        local c = time.after("3s")
        local t, ok = c:receive()
        local again, still = c:receive()
        return {t:unix_nano(), ok, tostring(again), still}
    """)
    assert run.finish() == [START + 3 * SECOND, True, "nil", False]


def test_after_stays_open_in_workflows(workflow: Runs) -> None:
    run = workflow("""
        local start, c = time.now(), time.after("3s")
        time.sleep(c:receive():sub(start))
        c:receive()
    """)
    run.fire_next()
    run.fire_next()
    assert run.armed == [3 * SECOND, 3 * SECOND]
    assert not run.state.stopped and not run.timers


def test_select_with_a_timeout(either: Runs) -> None:
    run = either("""
        local work, timeout = channel.new(), time.after("5s")
        coroutine.spawn(function() time.sleep("1s") work:send("done") time.sleep("1h") work:send("late") end)
        local first = channel.select({work:case_receive(), timeout:case_receive()})
        local second = channel.select({work:case_receive(), timeout:case_receive()})
        return {first.value, second.channel == timeout, second.value:unix_nano()}
    """)
    assert run.finish() == ["done", True, START + 5 * SECOND]


def test_timer(either: Runs) -> None:
    run = either("""
        local t = time.timer("2s")
        local at = t:response():receive()
        return {at:unix_nano(), t:stop(), t:response() == t:channel(), t:channel() == t:channel()}
    """)
    assert run.finish() == [START + 2 * SECOND, False, True, True]


def test_stopped_timers_never_fire(either: Runs) -> None:
    run = either("""
        local t = time.timer("2s")
        local first, second = t:stop(), t:stop()
        local r = channel.select({t:response():case_receive(), time.after("1m"):case_receive()})
        return {first, second, r.channel ~= t:response()}
    """)
    assert run.finish() == [True, False, True]


def test_stopping_a_timer_in_a_workflow_cancels_it_on_the_server(workflow: Runs) -> None:
    run = workflow('local t = time.timer("2s") t:stop() return 1')
    assert run.finish() == 1
    assert run.commands == ["start_timer", "cancel_timer", "complete_workflow_execution"]


def test_reset_of_a_running_timer(either: Runs) -> None:
    run = either("""
        local t = time.timer("2s")
        time.sleep("1s")
        local pending = t:reset("5s")
        return {pending, t:response():receive():unix_nano()}
    """)
    assert run.finish() == [True, START + 6 * SECOND]


def test_reset_forgets_a_firing_that_nobody_received(either: Runs) -> None:
    run = either("""
        local t = time.timer("1s")
        time.sleep("3s")
        local pending = t:reset("5s")
        return {pending, t:response():receive():unix_nano()}
    """)
    assert run.finish() == [False, START + 8 * SECOND]


def test_the_usual_stop_and_drain_before_reset(either: Runs) -> None:
    run = either("""
        local t = time.timer("1s")
        time.sleep("3s")
        local drained
        if not t:stop() then drained = t:response():receive():unix_nano() end
        t:reset("5s")
        return {drained, t:response():receive():unix_nano()}
    """)
    assert run.finish() == [START + SECOND, START + 8 * SECOND]


@pytest.mark.parametrize("given", ["0", "-1", '"x"', "nil"])
def test_reset_raises_for_a_duration_that_is_not_positive(either: Runs, given: str) -> None:
    run = either(f"""
        local t = time.timer("1s")
        local ok, err = pcall(t.reset, t, {given})
        local position, err2 = pcall(function()
            t:reset({given})
        end)
        return {{ok, err, err2}}
    """)
    ok, err, with_position = run.finish()
    assert not ok
    assert "bad argument #1 to 'reset' (duration must be > 0, got " in err
    assert with_position.startswith("script.lua:5: bad argument #1")


def test_ticker_starts_the_next_tick_when_one_fires(either: Runs) -> None:
    run = either("""
        local ticker = time.ticker("10s")
        local times = {}
        for i = 1, 3 do times[i] = ticker:response():receive():unix_nano() end
        local stopped = ticker:stop()
        local r = channel.select({ticker:channel():case_receive(), time.after("1h"):case_receive()})
        return {times, stopped, ticker:stop(), r.channel ~= ticker:channel()}
    """)
    assert run.finish() == [[START + n * 10 * SECOND for n in (1, 2, 3)], True, True, True]


def test_ticker_keeps_sixteen_ticks_and_drops_the_rest(either: Runs) -> None:
    run = either("""
        local ticker = time.ticker("1s")
        time.sleep("30500ms")
        ticker:stop()
        local times = {}
        while true do
            local r = channel.select({ticker:response():case_receive()}, true)
            if r.default then return times end
            times[#times + 1] = r.value:unix_nano()
        end
    """)
    assert run.finish() == [START + n * SECOND for n in range(1, 17)]


def test_timers_cost_one_command_each(workflow: Runs) -> None:
    run = workflow("""
        local ticker = time.ticker("1s")
        for i = 1, 3 do ticker:response():receive() end
        time.sleep(1)
    """)
    run.finish()
    assert run.commands == ["start_timer"] * 5 + ["complete_workflow_execution"]


def test_a_timer_that_fails_has_not_fired(function: Runs) -> None:
    run = function("""
        local c, timer, ticker = time.after("1s"), time.timer("1s"), time.ticker("1s")
        channel.select({c:case_receive(), timer:response():case_receive(), ticker:response():case_receive()})
    """)
    for number in list(run.timers):
        run.step(["failed", number, LuaError("operation canceled", "CANCELED", False)])
    assert not run.state.stopped
    assert len(run.armed) == 3


def test_cancellation_interrupts_sleep_and_select(function: Runs) -> None:
    for body in ('time.sleep("1h")', 'channel.select({time.after("1h"):case_receive()})'):
        run = function(body)
        run.step(["cancel", LuaError("operation canceled", "CANCELED", False)])
        with pytest.raises(ScriptError, match="operation canceled"):
            run.finish()


@pytest.mark.parametrize("method", ["stop", "reset", "response", "channel"])
def test_timer_methods_say_what_they_want(either: Runs, method: str) -> None:
    with pytest.raises(
        ScriptError, match=f"bad argument to '{method}' \\(timer expected, got table; call it with ':'\\)"
    ):
        either(f'time.timer("1s").{method}({{}})').finish()


def test_sleep_cannot_wait_inside_a_callback_of_c(either: Runs) -> None:
    with pytest.raises(ScriptError, match=r"cannot wait here: .* string\.gsub callback"):
        either('string.gsub("x", ".", function() time.sleep(1) end)').finish()


def test_a_workflow_that_only_sleeps_stays_small(workflow: Runs) -> None:
    def needs(body: str) -> int:
        low, high = 10_000, 1_000_000
        while high - low > 64:
            middle = (low + high) // 2
            try:
                run = workflow(body, memory_limit=middle)
                run.finish()
                high = middle
            except Exception:
                low = middle
        return high

    assert needs('time.sleep("1h")') - needs("local t = time") < 12_000
