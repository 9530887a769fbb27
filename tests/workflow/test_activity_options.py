"""Options of activity calls: both spellings, their effect, and what is refused (activities.md 3, decisions 32 and 33)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bare_run import BareRun, decoded, encoded, resolution, result, variants
from temporalio.api.enums.v1 import EventType
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob

CALL = """
local options = ...
local value, err = funcs.new():with_options(options):call("app:work", 1)
return {value = value, kind = err and err:kind(), text = err and tostring(err)}
"""


def scheduled(bench: Any, options: dict[str, Any]) -> Any:
    """The command of a call with these options; of the only command if it is another."""
    if not bench.entries:
        bench.function("return { main = function(n) return n end }", "work")
        bench.workflow(CALL, modules="funcs")
    run = BareRun(bench.load())
    (command,) = run.start(options)
    run.close()
    return command


def refusal(bench: Any, options: dict[str, Any]) -> tuple[str, str]:
    """kind and text of the error that a call with these options gets."""
    command = scheduled(bench, options)
    value = result([command])
    return value["kind"], value["text"]


SEEN_IN_COMMAND: list[tuple[str, Any, str, Any]] = [
    ("start_to_close_timeout", "5s", "start_to_close_timeout", timedelta(seconds=5)),
    ("start_to_close_timeout", 250, "start_to_close_timeout", timedelta(milliseconds=250)),
    ("start_to_close_timeout", "1h30m", "start_to_close_timeout", timedelta(minutes=90)),
    ("schedule_to_close_timeout", "7s", "schedule_to_close_timeout", timedelta(seconds=7)),
    ("schedule_to_start_timeout", 3000, "schedule_to_start_timeout", timedelta(seconds=3)),
    ("heartbeat_timeout", "1m", "heartbeat_timeout", timedelta(minutes=1)),
    ("id", "charge-7", "activity_id", "charge-7"),
    ("task_queue", "elsewhere", "task_queue", "elsewhere"),
    ("wait_for_cancellation", True, "cancellation_type", 1),
    ("wait_for_cancellation", False, "cancellation_type", 0),
    ("disable_eager_execution", True, "do_not_eagerly_execute", True),
    ("versioning_intent", "compatible", "versioning_intent", 1),
    ("versioning_intent", "default", "versioning_intent", 2),
]


@pytest.mark.parametrize("prefix", ["activity", "temporal.activity"])
@pytest.mark.parametrize(("name", "value", "field", "expected"), SEEN_IN_COMMAND)
def test_option_shapes_the_command(bench: Any, prefix: str, name: str, value: Any, field: str, expected: Any) -> None:
    command = scheduled(bench, {f"{prefix}.{name}": value}).schedule_activity
    seen = getattr(command, field)
    assert (seen.ToTimedelta() if isinstance(expected, timedelta) else seen) == expected


def test_defaults(bench: Any) -> None:
    command = scheduled(bench, {"activity.summary": "x"}).schedule_activity
    assert command.start_to_close_timeout.ToTimedelta() == timedelta(minutes=10)
    assert not command.HasField("schedule_to_close_timeout") and not command.HasField("heartbeat_timeout")
    assert not command.HasField("retry_policy") and not command.do_not_eagerly_execute
    assert (command.activity_type, command.task_queue, command.activity_id) == ("app:work", bench.queue, "1")


def test_summary_is_user_metadata(bench: Any) -> None:
    assert decoded(scheduled(bench, {"activity.summary": "charge the card"}).user_metadata.summary) == "charge the card"


def test_priority(bench: Any) -> None:
    given = {"priority_key": 2, "fairness_key": "tenant-1", "fairness_weight": 1.5}
    seen = scheduled(bench, {"activity.priority": given}).schedule_activity.priority
    assert (seen.priority_key, seen.fairness_key, seen.fairness_weight) == (2, "tenant-1", 1.5)


def test_retry_policy(bench: Any) -> None:
    policy = scheduled(
        bench,
        {
            "activity.retry_policy": {
                "initial_interval": "2s",
                "backoff_coefficient": 1.5,
                "maximum_interval": 30000,
                "maximum_attempts": 4,
                "non_retryable_error_types": ["NotFound", "MyOwn"],
            }
        },
    ).schedule_activity.retry_policy
    assert policy.initial_interval.ToTimedelta() == timedelta(seconds=2)
    assert policy.maximum_interval.ToTimedelta() == timedelta(seconds=30)
    assert (policy.backoff_coefficient, policy.maximum_attempts) == (1.5, 4)
    assert list(policy.non_retryable_error_types) == ["NOT_FOUND", "MyOwn"]


def test_retry_policy_fills_in_what_it_leaves_out(bench: Any) -> None:
    policy = scheduled(
        bench, {"activity.retry_policy": {"non_retryable_error_types": "invalid"}}
    ).schedule_activity.retry_policy
    assert policy.initial_interval.ToTimedelta() == timedelta(seconds=1)
    assert (policy.backoff_coefficient, policy.maximum_attempts) == (2.0, 0)
    assert list(policy.non_retryable_error_types) == ["INVALID"]


def test_the_longer_spelling_wins(bench: Any) -> None:
    command = scheduled(bench, {"activity.id": "short", "temporal.activity.id": "long"})
    assert command.schedule_activity.activity_id == "long"


def test_other_families_are_not_judged(bench: Any) -> None:
    assert scheduled(bench, {"retry": {"max_attempts": 3}, "workflow.id": "x"}).HasField("schedule_activity")


REFUSED: list[tuple[str, Any, str]] = [
    ("activity.start_to_close_timeout", "soon", 'expected a duration string or milliseconds number, got "soon"'),
    ("activity.start_to_close_timeout", True, "expected a duration string or milliseconds number, got true"),
    ("activity.start_to_close_timeout", -5, "expected a duration string or milliseconds number, got -5"),
    ("activity.heartbeat_timeout", "-5s", 'expected a duration string or milliseconds number, got "-5s"'),
    ("temporal.activity.id", 7, "expected a non-empty string, got 7"),
    ("activity.task_queue", "", 'expected a non-empty string, got ""'),
    ("activity.wait_for_cancellation", "yes", 'expected a boolean, got "yes"'),
    ("activity.disable_eager_execution", 1, "expected a boolean, got 1"),
    ("activity.retry_policy", "none", 'expected a table, got "none"'),
    ("activity.summary", {}, "expected a non-empty string, got a table"),
    ("activity.priority", 3, "expected a table, got 3"),
]


@pytest.mark.parametrize(("name", "value", "text"), REFUSED)
def test_wrong_type_is_invalid(bench: Any, name: str, value: Any, text: str) -> None:
    assert refusal(bench, {name: value}) == (
        "INVALID",
        f"invalid temporal activity options for app:work: {name}: {text}",
    )


@pytest.mark.parametrize(
    ("part", "value", "text"),
    [
        ("maximum_attempts", 1.5, "expected an integer of at least 0, got 1.5"),
        ("maximum_attempts", -1, "expected an integer of at least 0, got -1"),
        ("backoff_coefficient", 0.5, "expected a number of at least 1, got 0.5"),
        ("initial_interval", "x", 'expected a duration string or milliseconds number, got "x"'),
        ("non_retryable_error_types", 5, "expected a string or a list of strings, got 5"),
        ("non_retryable_error_types", [5], "expected a string or a list of strings, got a table"),
    ],
)
def test_wrong_part_of_a_retry_policy_is_named(bench: Any, part: str, value: Any, text: str) -> None:
    assert refusal(bench, {"activity.retry_policy": {part: value}}) == (
        "INVALID",
        f"invalid temporal activity options for app:work: activity.retry_policy.{part}: {text}",
    )


@pytest.mark.parametrize(
    ("part", "value", "text"),
    [
        ("priority_key", "high", 'expected a positive integer, got "high"'),
        ("fairness_key", 1, "expected a string, got 1"),
        ("fairness_weight", "x", 'expected a positive number, got "x"'),
    ],
)
def test_wrong_part_of_a_priority_is_named(bench: Any, part: str, value: Any, text: str) -> None:
    assert refusal(bench, {"activity.priority": {part: value}}) == (
        "INVALID",
        f"invalid temporal activity options for app:work: activity.priority.{part}: {text}",
    )


def test_unknown_key_of_a_retry_policy_is_named(bench: Any) -> None:
    kind, text = refusal(bench, {"activity.retry_policy": {"attempts": 3}})
    assert kind == "INVALID"
    assert "activity.retry_policy.attempts: unknown key" in text and "maximum_attempts" in text


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("activity.start_to_close", "activity.start_to_close_timeout"),
        ("activity.retries", "activity.retry_policy"),
        ("temporal.activity.heartbeat", "temporal.activity.heartbeat_timeout"),
        ("activity.task_que", "activity.task_queue"),
    ],
)
def test_unknown_option_suggests_the_nearest(bench: Any, name: str, hint: str) -> None:
    kind, text = refusal(bench, {name: "5s"})
    assert (kind, text) == (
        "INVALID",
        f"invalid temporal activity options for app:work: unknown option {name}: did you mean {hint}?",
    )


def test_entry_options_are_merged_and_the_call_wins(bench: Any) -> None:
    bench.function(
        "return { main = function(n) return n end }",
        "work",
        meta={
            "options": {
                "activity.start_to_close_timeout": "4s",
                "activity.schedule_to_close_timeout": "9s",
                "activity.retry_policy": {"maximum_attempts": 2},
            }
        },
    )
    bench.workflow(CALL, modules="funcs")
    command = scheduled(bench, {"temporal.activity.start_to_close_timeout": "6s"}).schedule_activity
    assert command.start_to_close_timeout.ToTimedelta() == timedelta(seconds=6)
    assert command.schedule_to_close_timeout.ToTimedelta() == timedelta(seconds=9)
    assert command.retry_policy.maximum_attempts == 2


def test_with_options_replaces_and_leaves_the_executor_as_it_was(bench: Any) -> None:
    bench.function("return { main = function(n) return n end }", "work")
    bench.workflow(
        """
    local first = funcs.new():with_options({["activity.id"] = "one", ["activity.summary"] = "s"})
    local second = first:with_options({["activity.task_queue"] = "t"})
    first:async("app:work")
    second:async("app:work")
    """,
        modules="funcs",
    )
    one, two, _ = BareRun(bench.load()).start()
    assert one.schedule_activity.activity_id == "one" and one.schedule_activity.task_queue == bench.queue
    assert two.schedule_activity.activity_id == "2" and two.schedule_activity.task_queue == "t"


def test_options_are_copied_when_they_are_given(bench: Any) -> None:
    bench.workflow(
        """
    local options = {["activity.id"] = "one"}
    local executor = funcs.new():with_options(options)
    options["activity.id"] = "two"
    executor:async("other:work")
    """,
        modules="funcs",
    )
    command, _ = BareRun(bench.load()).start()
    assert command.schedule_activity.activity_id == "one"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("funcs.call('')", "function ID required"),
        ("funcs.async('')", "function ID required"),
        ("funcs.call('work')", "invalid function ID 'work' (namespace:name required)"),
        ("funcs.call('app:')", "invalid function ID 'app:' (namespace:name required)"),
        ("funcs.new():call(':work')", "invalid function ID ':work' (namespace:name required)"),
    ],
)
def test_bad_ids(bench: Any, code: str, text: str) -> None:
    bench.workflow(
        f"local v, err = {code} return {{v == nil, err:kind(), err:message(), err:retryable()}}", modules="funcs"
    )
    assert result(BareRun(bench.load()).start()) == [True, "INVALID", text, False]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("funcs.call(7)", "wf.lua:2: bad argument #1 to 'call' (string expected, got number)"),
        ("funcs.async()", "wf.lua:2: bad argument #1 to 'async' (string expected, got nil)"),
        ("funcs.new():call({})", "wf.lua:2: bad argument #1 to 'call' (string expected, got table)"),
        ("funcs.new():with_options('x')", "wf.lua:2: bad argument #1 to 'with_options' (table expected, got string)"),
        ("funcs.new():with_context(1)", "wf.lua:2: bad argument #1 to 'with_context' (table expected, got number)"),
        (
            "funcs.new():with_context({1})",
            "wf.lua:2: bad argument #1 to 'with_context' (string keys expected, got a number)",
        ),
        ("funcs.new().call('app:work')", "wf.lua:2: bad argument to 'call' (executor expected; call it with ':')"),
    ],
)
def test_wrong_argument_types_raise_where_the_call_stands(bench: Any, code: str, text: str) -> None:
    bench.workflow(f"local ok, err = pcall(function() {code} end) return {{ok, err}}", modules="funcs")
    ok, err = result(BareRun(bench.load()).start())
    assert not ok and err.endswith(text)


def test_local_activity_is_a_local_command(bench: Any) -> None:
    bench.function("return { main = function(n) return n end }", "work", binding={"local": True})
    bench.workflow(CALL, modules="funcs")
    command = scheduled(
        bench, {"activity.retry_policy": {"maximum_attempts": 2}, "activity.start_to_close_timeout": "5s"}
    )
    local = command.schedule_local_activity
    assert (local.activity_type, local.attempt, local.retry_policy.maximum_attempts) == ("app:work", 1, 2)
    assert local.start_to_close_timeout.ToTimedelta() == timedelta(seconds=5)


def test_local_activity_with_a_task_queue_is_an_ordinary_one(bench: Any) -> None:
    bench.function("return { main = function(n) return n end }", "work", binding={"local": True})
    bench.workflow(CALL, modules="funcs")
    assert scheduled(bench, {"activity.task_queue": "far"}).schedule_activity.task_queue == "far"


def backoff(seq: int, attempt: int, seconds: int) -> WorkflowActivationJob:
    """Core's word that a local activity is to be tried again later, by a durable timer."""

    def change(outcome: Any) -> None:
        outcome.backoff.attempt = attempt
        outcome.backoff.backoff_duration.FromTimedelta(timedelta(seconds=seconds))
        outcome.backoff.original_schedule_time.seconds = 123

    return resolution(seq, change=change)


def test_long_backoff_of_a_local_activity_is_a_timer(bench: Any) -> None:
    bench.function("return { main = function(n) return n end }", "work", binding={"local": True})
    bench.workflow(CALL, modules="funcs")
    run = BareRun(bench.load())
    run.start({"activity.summary": "s"})
    (timer,) = run.activate(backoff(1, 5, 120))
    assert timer.start_timer.start_to_fire_timeout.ToTimedelta() == timedelta(minutes=2)
    (again,) = run.fire(timer.start_timer.seq)
    assert again.schedule_local_activity.attempt == 5
    assert again.schedule_local_activity.original_schedule_time.seconds == 123
    assert again.schedule_local_activity.arguments == [encoded(1)]
    # Core compares neither, but the UI shows it: the id must not change from attempt to attempt.
    assert again.schedule_local_activity.activity_id == "1"
    assert result(run.resolve(again.schedule_local_activity.seq, 8))["value"] == 8


def test_cancel_during_the_backoff_of_a_local_activity_ends_it(bench: Any) -> None:
    bench.function("return { main = function(n) return n end }", "work", binding={"local": True})
    bench.workflow(
        """
    local future = funcs.async("app:work")
    require("time").sleep("1s")
    future:cancel()
    return {tostring(select(2, future:result())), future:is_canceled()}
    """,
        modules="funcs time",
    )
    run = BareRun(bench.load())
    _, sleep = run.start()
    (timer,) = run.activate(backoff(1, 2, 120))
    commands = run.fire(sleep.start_timer.seq)
    assert variants(commands) == ["cancel_timer", "complete_workflow_execution"]
    assert commands[0].cancel_timer.seq == timer.start_timer.seq
    assert result(commands) == ["canceled", True]


async def test_options_in_the_history_of_a_server(bench: Any) -> None:
    bench.function("return { main = function(n) return n end }", "work")
    bench.workflow(CALL, modules="funcs")
    outcome = await bench.run(
        {
            "activity.start_to_close_timeout": "5s",
            "activity.schedule_to_close_timeout": "9s",
            "activity.schedule_to_start_timeout": "8s",
            "activity.heartbeat_timeout": "3s",
            "activity.id": "charge-7",
            "activity.retry_policy": {
                "initial_interval": "2s",
                "maximum_attempts": 4,
                "non_retryable_error_types": ["A"],
            },
            "activity.priority": {"priority_key": 2, "fairness_key": "t"},
            "activity.summary": "the charge",
            "activity.disable_eager_execution": True,
        }
    )
    assert outcome.result == {"value": 1}
    seen = outcome.scheduled
    assert (seen.activity_id, seen.activity_type.name, seen.task_queue.name) == ("charge-7", "app:work", bench.queue)
    assert [
        t.ToTimedelta().seconds
        for t in (
            seen.start_to_close_timeout,
            seen.schedule_to_close_timeout,
            seen.schedule_to_start_timeout,
            seen.heartbeat_timeout,
        )
    ] == [5, 9, 8, 3]
    assert (seen.retry_policy.maximum_attempts, list(seen.retry_policy.non_retryable_error_types)) == (4, ["A"])
    assert (seen.priority.priority_key, seen.priority.fairness_key) == (2, "t")
    (event,) = [e for e in outcome.history.events if e.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    assert decoded(event.user_metadata.summary) == "the charge"


async def test_local_activity_retries_inside_the_task(bench: Any) -> None:
    bench.function(
        """
    local activity, errors = require("activity"), errors
    return { main = function()
        local info = activity.info()
        if info.attempt < 3 then return nil, errors.new{message = "not yet", kind = "UNAVAILABLE", retryable = true} end
        return {attempt = info.attempt, is_local = info.is_local}
    end }
    """,
        "work",
        binding={"local": True},
        modules="activity",
    )
    bench.workflow(CALL, modules="funcs")
    outcome = await bench.run({"activity.retry_policy": {"initial_interval": 10}})
    assert outcome.result == {"value": {"attempt": 3, "is_local": True}}
    assert not outcome.attributes("activity_task_scheduled") and len(outcome.attributes("marker_recorded")) == 1
