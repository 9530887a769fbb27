"""Futures of funcs.async in a workflow: every method and edge of activities.md 5."""

from __future__ import annotations

from typing import Any

import pytest
from bare_run import BareRun, decoded, resolution, result, variants


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="funcs time")
    return BareRun(bench.load())


def fails(message: str, kind: str) -> Any:
    """Makes a resolution a failure of an activity."""

    def change(outcome: Any) -> None:
        failure = outcome.failed.failure
        failure.message = "activity error"
        failure.activity_failure_info.activity_id = "1"
        failure.cause.message = message
        failure.cause.application_failure_info.type = kind
        failure.cause.application_failure_info.non_retryable = True

    return change


def cancels(outcome: Any) -> None:
    outcome.cancelled.failure.message = "Activity cancelled"
    outcome.cancelled.failure.canceled_failure_info.SetInParent()


STATE = """
local function state(f)
    local value, err = f:result()
    local failure, failed = f:error()
    return {
        complete = f:is_complete(), canceled = f:is_canceled(), value = value and value:data(),
        err = err and err:kind() .. "/" .. err:message() .. "/" .. tostring(err:retryable()),
        error = failure and failure:kind() .. "/" .. failure:message() .. "/" .. tostring(failure:retryable()), failed = failed,
    }
end
"""


def test_async_schedules_at_once_and_does_not_block(bench: Any) -> None:
    run = bare(
        bench,
        """
    local future, err = funcs.async("app:work", 1)
    time.sleep("1s")
    return {type(future), err == nil}
    """,
    )
    assert variants(run.start()) == ["schedule_activity", "start_timer"]
    assert result(run.fire(2)) == ["userdata", True]


def test_pending(bench: Any) -> None:
    run = bare(bench, STATE + 'return state(funcs.async("app:work"))')
    assert result(run.start()) == {"complete": False, "canceled": False, "failed": False}


def test_success(bench: Any) -> None:
    run = bare(bench, STATE + 'local f = funcs.async("app:work") time.sleep("1s") return state(f)')
    run.start()
    assert run.resolve(1, {"a": 1}) == []
    assert result(run.fire(2)) == {"complete": True, "canceled": False, "value": {"a": 1}, "failed": False}


def test_failure_keeps_its_kind_in_result_and_is_internal_in_error(bench: Any) -> None:
    run = bare(bench, STATE + 'local f = funcs.async("app:work") time.sleep("1s") return state(f)')
    run.start()
    run.resolve(1, change=fails("no stock", "CONFLICT"))
    assert result(run.fire(2)) == {
        "complete": True,
        "canceled": False,
        "err": "CONFLICT/no stock/false",
        "error": "INTERNAL/no stock/false",
        "failed": True,
    }


def test_response_delivers_a_payload_once_and_closes(bench: Any) -> None:
    run = bare(
        bench,
        """
    local future = funcs.async("app:work")
    local ch = future:response()
    local first, ok = ch:receive()
    local second, ok2 = ch:receive()
    return {first:data(), first:get_format(), ok, second == nil, ok2, future:channel() == ch, future:response() == ch}
    """,
    )
    run.start()
    assert result(run.resolve(1, 7)) == [7, "lua/any", True, True, False, True, True]


def test_response_delivers_the_error_object(bench: Any) -> None:
    run = bare(
        bench,
        """
    local value, ok = funcs.async("app:work"):response():receive()
    return {value:kind(), value:message(), ok}
    """,
    )
    run.start()
    assert result(run.resolve(1, change=fails("no", "TIMEOUT"))) == ["TIMEOUT", "no", True]


def test_result_without_value(bench: Any) -> None:
    run = bare(
        bench,
        """
    local future = funcs.async("app:work")
    local p, ok = future:response():receive()
    return {type(p), p:data() == nil, ok, future:is_complete()}
    """,
    )
    run.start()

    def nothing(outcome: Any) -> None:
        outcome.completed.result.metadata["encoding"] = b"binary/null"

    assert result(run.resolve(1, change=nothing)) == ["userdata", True, True, True]


def test_cancel_asks_for_it_and_ignores_a_late_result(bench: Any) -> None:
    run = bare(
        bench,
        STATE
        + """
    local f = funcs.async("app:work")
    time.sleep("1s")
    local ok, err = f:cancel()
    local closed = {f:response():receive()}
    time.sleep("1s")
    local s = state(f)
    s.ok, s.nothing, s.closed = ok, err == nil, closed[2] == false
    return s
    """,
    )
    run.start()
    commands = run.fire(2)
    assert variants(commands) == ["request_cancel_activity", "start_timer"]
    assert commands[0].request_cancel_activity.seq == 1
    run.resolve(1, "late")
    assert result(run.fire(3)) == {
        "complete": False,
        "canceled": True,
        "err": "CANCELED/canceled/false",
        "failed": False,
        "ok": True,
        "nothing": True,
        "closed": True,
    }


def test_cancel_twice_and_after_the_end_is_nothing(bench: Any) -> None:
    run = bare(
        bench,
        """
    local a, b = funcs.async("app:work"), funcs.async("app:work")
    a:response():receive()
    local after = a:cancel()
    b:cancel()
    return {after, a:is_canceled(), a:result():data(), b:cancel(), b:is_canceled()}
    """,
    )
    run.start()
    commands = run.resolve(1, 5)
    assert variants(commands) == ["request_cancel_activity", "complete_workflow_execution"]
    assert result(commands) == [True, False, 5, True, True]


def test_cancel_wakes_whoever_waits_for_the_response(bench: Any) -> None:
    run = bare(
        bench,
        """
    local future = funcs.async("app:work")
    local got
    coroutine.spawn(function() got = {future:response():receive()} end)
    future:cancel()
    coroutine.yield()
    return {got[1] == nil, got[2]}
    """,
    )
    assert result(run.start()) == [True, False]


def test_select_takes_the_first_that_comes(bench: Any) -> None:
    run = bare(
        bench,
        """
    local a, b = funcs.async("app:a"), funcs.async("app:b")
    local timer = time.after("1m")
    local names, order = {[a:response()] = "a", [b:response()] = "b", [timer] = "timer"}, {}
    local open = {a:response():case_receive(), b:response():case_receive(), timer:case_receive()}
    while #order < 3 do
        local r = channel.select(open)
        order[#order + 1] = names[r.channel]
        for i, ch in ipairs({a:response(), b:response(), timer}) do
            if ch == r.channel then open[i] = channel.new():case_receive() end
        end
    end
    return order
    """,
    )
    run.start()
    run.resolve(2, "B")
    run.fire(3)
    assert result(run.resolve(1, "A")) == ["b", "timer", "a"]


def test_results_of_one_task_wake_in_the_order_of_their_events(bench: Any) -> None:
    run = bare(
        bench,
        """
    local order = channel.new(3)
    for i = 1, 3 do
        local future = funcs.async("app:work", i)
        coroutine.spawn(function() order:send(future:response():receive():data()) end)
    end
    return {(order:receive()), (order:receive()), (order:receive())}
    """,
    )
    run.start()
    assert result(run.activate(resolution(3, "c"), resolution(1, "a"), resolution(2, "b"))) == ["c", "a", "b"]


def test_workflow_may_end_with_a_pending_future(bench: Any) -> None:
    run = bare(bench, 'funcs.async("app:work") return "done"')
    commands = run.start()
    assert variants(commands) == ["schedule_activity", "complete_workflow_execution"] and result(commands) == "done"


@pytest.mark.parametrize("method", ["response", "channel", "is_complete", "is_canceled", "result", "error", "cancel"])
def test_methods_want_a_future(bench: Any, method: str) -> None:
    run = bare(
        bench,
        f"""
    local future = funcs.async("app:work")
    local ok, err = pcall(function() local x = future.{method}({{}}) return x end)
    return err
    """,
    )
    text = result(run.start())
    assert "wf.lua:4: bad argument to '" in text and "(future expected; call it with ':')" in text


def test_tostring_has_no_address(bench: Any) -> None:
    bench.workflow('return {tostring(funcs.async("app:work")), tostring(funcs.new())}', modules="funcs")
    app = bench.load()
    first, ballast, second = BareRun(app), [bytearray(1000) for _ in range(100)], BareRun(app)
    assert result(first.start()) == result(second.start()) and ballast


def test_arguments_are_taken_when_the_call_is_made(bench: Any) -> None:
    run = bare(
        bench,
        """
    local order = {id = 1}
    funcs.async("app:work", order, nil, "x")
    order.id = 2
    """,
    )
    arguments = run.start()[0].schedule_activity.arguments
    assert [decoded(a) for a in arguments] == [{"id": 1}, None, "x"]
    assert arguments[1].metadata["encoding"] == b"binary/null"


# ---- on a server


async def test_cancel_right_after_the_start_schedules_nothing(bench: Any) -> None:
    bench.function("return { main = function() end }", "work")
    bench.workflow(
        """
    local future = funcs.async("app:work")
    future:cancel()
    local value, err = future:result()
    return {tostring(err), future:is_canceled()}
    """,
        modules="funcs",
    )
    outcome = await bench.run()
    assert outcome.result == ["canceled", True]
    assert not outcome.attributes("activity_task_scheduled")


async def test_cancel_of_a_running_activity(bench: Any) -> None:
    bench.function(
        """
    local time = require("time")
    return { main = function() time.sleep("1h") return "never" end }
    """,
        "work",
        modules="time",
    )
    bench.workflow(
        """
    local future = funcs.new():with_options({["activity.heartbeat_timeout"] = "1s"}):async("app:work")
    time.sleep("300ms")
    future:cancel()
    local value, err = future:result()
    return {tostring(err), future:is_canceled()}
    """,
        modules="funcs time",
    )
    outcome = await bench.run()
    assert outcome.result == ["canceled", True]
    assert len(outcome.attributes("activity_task_cancel_requested")) == 1


async def test_a_race_against_a_timer(bench: Any) -> None:
    bench.function("return { main = function() require('time').sleep('10s') end }", "slow", modules="time")
    bench.function("return { main = function() return 'fast' end }", "fast")
    bench.workflow(
        """
    local function race(id, limit)
        local future, timer = funcs.async(id), time.after(limit)
        local r = channel.select{future:response():case_receive(), timer:case_receive()}
        if r.channel == timer then future:cancel() return "too slow" end
        return r.value:data()
    end
    return {race("app:fast", "20s"), race("app:slow", "100ms")}
    """,
        modules="funcs time",
    )
    assert (await bench.run()).result == ["fast", "too slow"]
