"""A cancelled workflow: what is blocked is interrupted once, compensation runs, the run closes as Canceled (decision 17)."""

from __future__ import annotations

from typing import Any

import pytest
from bare_run import BareRun, resolution, result, variants
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob


def cancel(reason: str = "enough") -> WorkflowActivationJob:
    """A client's request."""
    job = WorkflowActivationJob()
    job.cancel_workflow.reason = reason
    return job


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="funcs time")
    return BareRun(bench.load())


@pytest.mark.parametrize(
    ("blocked", "cleanup"),
    [
        ("time.sleep('1h')", "cancel_timer"),
        ("channel.new():receive()", None),
        ("channel.new():send(1)", None),
        ("channel.select{channel.new():case_receive(), channel.new():case_send(1)}", None),
        ("time.after('1h'):receive()", None),
    ],
)
def test_blocked_operation_raises_canceled_at_its_line(bench: Any, blocked: str, cleanup: str | None) -> None:
    run = bare(
        bench,
        f"""
    local ok, err = pcall(function() local x = {blocked} return x end)
    return {{ok, err:kind(), tostring(err), err:retryable()}}
    """,
    )
    run.start()
    commands = run.activate(cancel())
    assert result(commands) == [False, "CANCELED", "operation canceled", False]
    assert variants(commands)[:-1] == ([cleanup] if cleanup else [])


def test_blocked_call_returns_the_error_and_cancels_the_activity(bench: Any) -> None:
    run = bare(
        bench,
        """
    local value, err = funcs.call("app:work")
    return {value == nil, err:kind()}
    """,
    )
    run.start()
    commands = run.activate(cancel())
    assert variants(commands) == ["request_cancel_activity", "complete_workflow_execution"]
    assert result(commands) == [True, "CANCELED"]


def test_only_what_is_waited_for_is_cancelled(bench: Any) -> None:
    run = bare(
        bench,
        """
    local future = funcs.async("app:other")
    local _, err = funcs.call("app:work")
    return future:response():receive():data()
    """,
    )
    run.start()
    commands = run.activate(cancel())
    assert variants(commands) == ["request_cancel_activity"] and commands[0].request_cancel_activity.seq == 2
    assert result(run.resolve(1, "went on")) == "went on"


def test_nothing_caught_closes_the_run_as_canceled(bench: Any) -> None:
    run = bare(bench, "time.sleep('1h') return 'never'")
    run.start()
    assert variants(run.activate(cancel())) == ["cancel_timer", "cancel_workflow_execution"]


def test_error_of_the_call_returned_closes_the_run_as_canceled(bench: Any) -> None:
    run = bare(bench, "return funcs.call('app:work')")
    run.start()
    assert variants(run.activate(cancel())) == ["request_cancel_activity", "cancel_workflow_execution"]


def test_compensation_runs_normally_and_the_run_completes(bench: Any) -> None:
    run = bare(
        bench,
        """
    local ok, err = pcall(time.sleep, "1h")
    local refund = funcs.call("app:refund")
    time.sleep("1s")
    return {refund, err:kind()}
    """,
    )
    run.start()
    assert variants(run.activate(cancel())) == ["cancel_timer", "schedule_activity"]
    assert variants(run.resolve(2, "refunded")) == ["start_timer"]
    assert result(run.fire(3)) == ["refunded", "CANCELED"]


def test_compensation_then_rethrown_closes_as_canceled(bench: Any) -> None:
    run = bare(
        bench,
        """
    local ok, err = pcall(time.sleep, "1h")
    funcs.call("app:refund")
    error(err)
    """,
    )
    run.start()
    run.activate(cancel())
    assert variants(run.resolve(2, "refunded")) == ["cancel_workflow_execution"]


def test_other_error_after_a_cancel_fails_the_run(bench: Any) -> None:
    run = bare(bench, "pcall(time.sleep, '1h') error('compensation failed')")
    run.start()
    commands = run.activate(cancel())
    assert variants(commands) == ["cancel_timer", "fail_workflow_execution"]
    assert "compensation failed" in commands[1].fail_workflow_execution.failure.message


def test_second_cancel_changes_nothing(bench: Any) -> None:
    run = bare(bench, "pcall(time.sleep, '1h') time.sleep('1m') return 'slept'")
    run.start()
    assert variants(run.activate(cancel())) == ["cancel_timer", "start_timer"]
    assert run.activate(cancel()) == []
    assert result(run.fire(2)) == "slept"


def test_each_blocked_coroutine_is_interrupted_in_order_of_creation(bench: Any) -> None:
    run = bare(
        bench,
        """
    local order = {}
    for _, name in ipairs{"a", "b"} do
        coroutine.spawn(function()
            local ok, err = pcall(time.sleep, "1h")
            order[#order + 1] = name .. err:kind()
        end)
    end
    local ok, err = pcall(time.sleep, "1h")
    order[#order + 1] = "main" .. err:kind()
    coroutine.yield()
    return order
    """,
    )
    run.start()
    # The main function is the oldest coroutine.
    assert result(run.activate(cancel())) == ["mainCANCELED", "aCANCELED", "bCANCELED"]


def test_uncaught_canceled_in_a_spawned_coroutine_ends_that_one_only(bench: Any) -> None:
    run = bare(
        bench,
        """
    coroutine.spawn(function() time.sleep("1h") end)
    local ok, err = pcall(time.sleep, "1h")
    time.sleep("1s")
    return "main went on"
    """,
    )
    run.start()
    commands = run.activate(cancel())
    assert "fail_workflow_execution" not in variants(commands)
    assert "cancel_workflow_execution" not in variants(commands)
    (timer,) = [c.start_timer.seq for c in commands if c.HasField("start_timer")]
    assert result(run.fire(timer)) == "main went on"


def test_own_canceled_error_without_a_request_fails_the_run(bench: Any) -> None:
    run = bare(bench, "return nil, errors.new{message = 'mine', kind = 'CANCELED', retryable = false}")
    assert variants(run.start()) == ["fail_workflow_execution"]


def test_it_takes_effect_after_what_the_same_task_woke(bench: Any) -> None:
    run = bare(
        bench,
        """
    local first = funcs.call("app:work")
    local second, err = funcs.call("app:work")
    return {first, second == nil, err:kind()}
    """,
    )
    run.start()
    commands = run.activate(cancel(), resolution(1, "one"))
    assert variants(commands) == ["schedule_activity", "request_cancel_activity", "complete_workflow_execution"]
    assert result(commands) == ["one", True, "CANCELED"]


def test_if_nothing_is_blocked_the_first_blocking_operation_gets_it(bench: Any) -> None:
    # Requested before the first task: the run sees both in one.
    run = bare(
        bench,
        """
    local ok, err = pcall(time.sleep, "1h")
    local later = pcall(time.sleep, "1s")
    return {ok, err:kind(), later}
    """,
    )
    commands = run.start(jobs=(cancel(),))
    timer = [c.start_timer.seq for c in commands if c.HasField("start_timer")][-1]
    assert result(run.fire(timer)) == [False, "CANCELED", True]


def test_canceled_while_waiting_for_completion_of_the_cancellation(bench: Any) -> None:
    run = bare(
        bench,
        """
    local executor = funcs.new():with_options({["activity.wait_for_cancellation"] = true})
    local value, err = executor:call("app:work")
    return {value == nil, err:kind()}
    """,
    )
    assert run.start()[0].schedule_activity.cancellation_type == 1
    assert result(run.activate(cancel())) == [True, "CANCELED"]


# ---- on a server


async def canceled(bench: Any, blocked_event: str) -> Any:
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving)
        await bench.event(handle, blocked_event)
        await handle.cancel()
        outcome = await bench.outcome(handle)
    await bench.replay(app, outcome)
    return outcome


async def test_client_cancels_a_sleeping_run(bench: Any) -> None:
    bench.workflow("time.sleep('1h')", modules="time")
    outcome = await canceled(bench, "timer_started")
    assert outcome.canceled and len(outcome.attributes("timer_canceled")) == 1
    assert len(outcome.attributes("workflow_execution_canceled")) == 1


async def test_client_cancels_and_the_run_compensates(bench: Any) -> None:
    bench.function("return { main = function(id) return 'refunded ' .. id end }", "refund")
    bench.workflow(
        """
    local ok, err = pcall(time.sleep, "1h")
    return {(funcs.call("app:refund", "p1")), err:kind()}
    """,
        modules="funcs time",
    )
    outcome = await canceled(bench, "timer_started")
    assert outcome.result == ["refunded p1", "CANCELED"]


async def test_client_cancels_a_run_that_waits_for_an_activity(bench: Any) -> None:
    bench.function("return { main = function() require('time').sleep('1h') end }", "work", modules="time")
    bench.workflow(
        "return funcs.new():with_options({['activity.heartbeat_timeout'] = '1s'}):call('app:work')", modules="funcs"
    )
    outcome = await canceled(bench, "activity_task_scheduled")
    assert outcome.canceled and len(outcome.attributes("activity_task_cancel_requested")) == 1


# ---- the deadline (decision 16)

FROM_WORKFLOW = "Cancel requested by workflow with run id 0196a3f2-0000-7000-8000-00000000abcd with reason: "
EVENT = """
local event = process.events():receive()
return {event.kind, event.at, event.reason or "none", event.deadline}
"""


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        ("enough", ["enough"]),
        ("", ["none"]),
        ("5s", ["5s"]),
        ("lua-fleet-deadline=5000ms", ["none", 5_000_000_000]),
        ("lua-fleet-deadline=5000ms or so", ["lua-fleet-deadline=5000ms or so"]),
        ("lua-fleet-deadline=9999999999999ms", ["lua-fleet-deadline=9999999999999ms"]),
        (FROM_WORKFLOW, ["none"]),
        (FROM_WORKFLOW + "out of stock", ["out of stock"]),
        (FROM_WORKFLOW + "lua-fleet-deadline=1ms", ["none", 1_000_000]),
    ],
)
def test_the_event_tells_reason_and_deadline(bench: Any, reason: str, event: list[Any]) -> None:
    run = bare(bench, EVENT)
    run.start()
    commands = run.activate(cancel(reason))
    assert result(commands) == ["pid.cancel", 1_700_000_001, *event]
    assert ("start_timer" in variants(commands)) == (len(event) == 2)


@pytest.mark.parametrize(
    "body", ["process.events() channel.new():receive()", "while true do pcall(time.sleep, '1h') end"]
)
def test_the_deadline_closes_a_run_that_ignores_it(bench: Any, body: str) -> None:
    run = bare(bench, body)
    run.start()
    (timer,) = [c for c in run.activate(cancel("lua-fleet-deadline=5000ms")) if c.HasField("start_timer")][:1]
    assert timer.start_timer.start_to_fire_timeout.seconds == 5
    assert variants(run.fire(timer.start_timer.seq)) == ["cancel_workflow_execution"]


def test_a_run_that_ends_in_time_needs_no_deadline(bench: Any) -> None:
    run = bare(bench, "pcall(time.sleep, '1h') funcs.call('app:refund') return 'compensated'")
    run.start()
    commands = run.activate(cancel("lua-fleet-deadline=5000ms"))
    assert variants(commands) == ["start_timer", "cancel_timer", "schedule_activity"]
    assert result(run.resolve(3, "done")) == "compensated"


async def test_the_deadline_passes_on_a_server(bench: Any) -> None:
    bench.workflow("while true do pcall(time.sleep, '1h') end", modules="time")
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving)
        await bench.event(handle, "timer_started")
        await handle.cancel(reason="lua-fleet-deadline=300ms")
        outcome = await bench.outcome(handle)
    await bench.replay(app, outcome)
    assert outcome.canceled
