"""Errors in both directions: what a workflow sees of a failed activity, and what a client sees of a failed workflow
(activities.md 4, decisions 1 to 3)."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from bare_run import BareRun, decoded, result
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker
from workflow_bench import Bench

# Each is an activity; the workflow calls all of them with two attempts allowed.
MODES = {
    "not_retryable": "return nil, errors.new{message = 'no stock', kind = 'CONFLICT', retryable = false}",
    "retryable": "return nil, errors.new{message = 'busy', kind = 'UNAVAILABLE', retryable = true}",
    "unsaid": "return nil, errors.new{message = 'hm', kind = 'NOT_FOUND'}",
    "bare": "return nil, errors.new('plain')",
    "text": "return nil, 'just text'",
    "thrown_text": "\n  error('boom')",
    "fault": "\n  local t = nil; return t.x",
    "thrown_error": "error(errors.new{message = 'mine', kind = 'RATE_LIMITED', retryable = false, details = {after = 30}})",
    "thrown_retryable": "error(errors.new{message = 'again', kind = 'RATE_LIMITED', retryable = true})",
    "thrown_table": "error({code = 7})",
    "own_kind": "return nil, errors.new{message = 'x', kind = 'CARD_DECLINED', retryable = false}",
    "folded_kind": "return nil, errors.new{message = 'x', kind = 'PermissionDenied', retryable = false}",
    "details": "return nil, errors.new{message = 'x', retryable = false, details = {a = {b = {1, 2, {c = 'deep'}}}, n = 2^53}}",
    "wrapped": "return nil, errors.wrap(errors.new{message = 'root', kind = 'TIMEOUT', retryable = false}, 'while charging')",
    "unsendable_result": "return {f = {print}}",
}

WORKFLOW = """
local names = ...
local seen, futures = {}, {}
for i, name in ipairs(names) do
    futures[i] = funcs.new():with_options({
        ["activity.retry_policy"] = {maximum_attempts = 2, initial_interval = 10}, ["activity.id"] = name,
    }):async("app:" .. name)
end
for i, name in ipairs(names) do
    futures[i]:response():receive()
    local value, err = futures[i]:result()
    seen[name] = {
        value_is_nil = value == nil, kind = err:kind(), retryable = tostring(err:retryable()), message = err:message(),
        details = err:details(), stack = err:stack(), text = tostring(err), type = type(err),
        joined = "<" .. err .. ">", is = errors.is(err, err:kind()),
    }
end
return seen
"""


@pytest.fixture(scope="module")
def seen(server_address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the workflow saw of each mode, and in `attempts` how often the activity ran."""

    async def main() -> dict[str, dict[str, Any]]:
        bench = Bench(server_address, Path(tmp_path_factory.mktemp("errors")))
        for name, body in MODES.items():
            bench.function(f"return {{ main = function() {body} end }}", name)
        bench.workflow(WORKFLOW, modules="funcs")
        outcome = await bench.run(sorted(MODES))
        assert outcome.failure is None, outcome.failure
        scheduled = {e.event_id: e.activity_task_scheduled_event_attributes.activity_id for e in outcome.history.events}
        for started in outcome.attributes("activity_task_started"):
            outcome.result[scheduled[started.scheduled_event_id]]["attempts"] = started.attempt
        return outcome.result

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("mode", "kind", "retryable", "message", "attempts"),
    [
        ("not_retryable", "CONFLICT", "false", "no stock", 1),
        ("retryable", "UNAVAILABLE", "true", "busy", 2),
        ("unsaid", "NOT_FOUND", "nil", "hm", 2),
        ("bare", "UNKNOWN", "nil", "plain", 2),
        ("text", "INTERNAL", "false", "just text", 1),
        ("thrown_text", "INTERNAL", "false", "thrown_text.lua:2: boom", 2),
        ("fault", "INTERNAL", "false", "fault.lua:2: attempt to index a nil value (local 't')", 2),
        ("thrown_error", "RATE_LIMITED", "false", "mine", 1),
        ("thrown_retryable", "RATE_LIMITED", "true", "again", 2),
        ("thrown_table", "INTERNAL", "false", "error object is a table", 2),
        ("own_kind", "CARD_DECLINED", "false", "x", 1),
        ("folded_kind", "PERMISSION_DENIED", "false", "x", 1),
        ("wrapped", "TIMEOUT", "false", "root", 1),
    ],
)
def test_failure_mode(
    seen: dict[str, dict[str, Any]], mode: str, kind: str, retryable: str, message: str, attempts: int
) -> None:
    got = seen[mode]
    assert (got["kind"], got["retryable"], got["attempts"]) == (kind, retryable, attempts)
    assert got["message"].endswith(message)
    assert got["value_is_nil"] and got["is"] and got["type"] == "userdata"
    assert got["text"] == got["message"] and got["joined"] == f"<{got['message']}>"


def test_details_tell_which_activity_and_why_it_was_not_retried(seen: dict[str, dict[str, Any]]) -> None:
    assert seen["not_retryable"]["details"] == {
        "_wrapper": "activity",
        "_activity_id": "not_retryable",
        "_retry_state": "non_retryable_failure",
    }
    assert seen["retryable"]["details"]["_retry_state"] == "maximum_attempts_reached"


def test_own_details_are_merged(seen: dict[str, dict[str, Any]]) -> None:
    assert seen["thrown_error"]["details"]["after"] == 30
    assert seen["details"]["details"]["a"] == {"b": [1, 2, {"c": "deep"}]}
    assert seen["details"]["details"]["n"] == 2**53


def test_stack_is_that_of_the_activity(seen: dict[str, dict[str, Any]]) -> None:
    assert "thrown_text.lua:2: in" in seen["thrown_text"]["stack"]
    assert "not_retryable.lua:1: in" in seen["not_retryable"]["stack"]


def test_context_of_wrap_is_in_the_stack_only(seen: dict[str, dict[str, Any]]) -> None:
    assert "while charging: root" in seen["wrapped"]["stack"]
    assert "while charging" not in seen["wrapped"]["message"]


def test_unsendable_result_names_the_place(seen: dict[str, dict[str, Any]]) -> None:
    assert seen["unsendable_result"]["kind"] == "INVALID"
    assert "f[1]" in seen["unsendable_result"]["message"] or "f.1" in seen["unsendable_result"]["message"]


# ---- timeouts, missing activities, other SDKs

CALL = """
local id, options = ...
local value, err = funcs.new():with_options(options):call(id, 1)
if not err then return value end
return {kind = err:kind(), retryable = tostring(err:retryable()), message = err:message(), details = err:details()}
"""


async def test_activity_that_no_worker_has_is_not_found_and_retried(bench: Any) -> None:
    bench.function("return { main = function() end }", "work")
    bench.workflow(CALL, modules="funcs")
    outcome = await bench.run("app:missing", {"activity.retry_policy": {"maximum_attempts": 2, "initial_interval": 10}})
    assert (outcome.result["kind"], outcome.result["retryable"]) == ("NOT_FOUND", "true")
    assert "app:missing" in outcome.result["message"]
    assert outcome.attributes("activity_task_started")[0].attempt == 2


async def test_start_to_close_timeout(bench: Any) -> None:
    bench.function("return { main = function() require('time').sleep('1h') end }", "work", modules="time")
    bench.workflow(CALL, modules="funcs")
    outcome = await bench.run(
        "app:work", {"activity.start_to_close_timeout": "1s", "activity.retry_policy": {"maximum_attempts": 1}}
    )
    assert (outcome.result["kind"], outcome.result["retryable"]) == ("TIMEOUT", "false")
    assert outcome.result["details"]["timeout_type"] == "start_to_close"


async def test_schedule_to_start_timeout(bench: Any) -> None:
    bench.workflow(CALL, modules="funcs")
    outcome = await bench.run(
        "app:work", {"activity.schedule_to_start_timeout": "1s", "activity.task_queue": f"nobody-{uuid.uuid4()}"}
    )
    assert (outcome.result["kind"], outcome.result["details"]["timeout_type"]) == ("TIMEOUT", "schedule_to_start")
    assert outcome.result["details"]["_wrapper"] == "activity"


@activity.defn(name="py.NotFound")
async def py_not_found(_: Any) -> None:
    raise ApplicationError("no such card", {"card": 7}, type="NotFound", non_retryable=True)


@activity.defn(name="py.Unknown")
async def py_unknown(_: Any) -> None:
    raise ApplicationError("odd", 1, None, "two", type="Declined")


@activity.defn(name="py.ValueError")
async def py_value_error(_: Any) -> None:
    try:
        raise KeyError("cause")
    except KeyError as error:
        raise ValueError("bad value") from error


@pytest.mark.parametrize(
    ("name", "kind", "retryable", "message", "details"),
    [
        ("NotFound", "NOT_FOUND", "false", "no such card", {"card": 7}),
        ("Unknown", "Declined", "true", "odd", {"details": [1, None, "two"]}),
        ("ValueError", "ValueError", "true", "bad value", {}),
    ],
)
async def test_activity_of_another_sdk(
    bench: Any, name: str, kind: str, retryable: str, message: str, details: dict[str, Any]
) -> None:
    bench.workflow(CALL, modules="funcs")
    queue = f"python-{uuid.uuid4().hex}"
    async with Worker(await bench.client(), task_queue=queue, activities=[py_not_found, py_unknown, py_value_error]):
        # With a raw task queue the id is a Temporal type name and is not checked (decision 21).
        outcome = await bench.run(
            f"py.{name}", {"activity.task_queue": queue, "activity.retry_policy": {"maximum_attempts": 1}}
        )
    got = outcome.result
    assert (got["kind"], got["retryable"], got["message"]) == (kind, retryable, message)
    for key in [key for key in got["details"] if key.startswith("_")]:
        del got["details"][key]
    assert (got["details"] or {}) == details


# ---- the workflow's own failures


async def failure_of(bench: Any, body: str, **options: Any) -> Any:
    bench.workflow(body, **options)
    outcome = await bench.run()
    assert outcome.failure is not None, outcome.result
    return outcome


async def test_returned_error_fails_the_run_with_all_it_says(bench: Any) -> None:
    outcome = await failure_of(
        bench, "return nil, errors.new{message = 'no', kind = 'CONFLICT', retryable = false, details = {a = {1}}}"
    )
    assert outcome.error == {"kind": "CONFLICT", "message": "no", "non_retryable": True}
    assert "wf.lua:2: in" in outcome.failure.stack_trace
    (record,) = decoded(outcome.failure.application_failure_info.details.payloads[0])["errors"]
    assert {key: record[key] for key in ("msg", "kind", "retry", "details")} == {
        "msg": "no",
        "kind": "CONFLICT",
        "retry": False,
        "details": {"a": [1]},
    }
    assert "wf.lua:2: in" in record["stack"]


async def test_error_of_an_activity_passed_on_is_the_same_error(bench: Any) -> None:
    bench.function(
        "return { main = function() return nil, errors.new{message = 'out', kind = 'CONFLICT', retryable = false} end }",
        "work",
    )
    outcome = await failure_of(bench, "local v, err = funcs.call('app:work') return nil, err", modules="funcs")
    assert outcome.error == {"kind": "CONFLICT", "message": "out", "non_retryable": True}
    assert "work.lua:1: in" in outcome.failure.stack_trace


def bare_failure(bench: Any, body: str, **options: Any) -> Any:
    """The failure that the first task of a run ends with."""
    bench.workflow(body, **options)
    (command,) = BareRun(bench.load()).start()
    return command.fail_workflow_execution.failure


@pytest.mark.parametrize(
    ("body", "kind", "message", "non_retryable"),
    [
        ("return nil, 'text'", "INTERNAL", "text", True),
        ("error('boom')", "INTERNAL", "wf.lua:2: boom", False),
        ("error('boom', 0)", "INTERNAL", "boom", False),
        ("return nil .. 'x'", "INTERNAL", "wf.lua:2: attempt to concatenate a nil value", False),
        ("error(errors.new{message = 'm', kind = 'INVALID', retryable = true})", "INVALID", "m", False),
        ("error(errors.new('m'))", "UNKNOWN", "m", False),
        (
            "local e = errors.new{message='m', kind='NotFound', retryable=false} local ok, x = pcall(error, e) return nil, x",
            "NOT_FOUND",
            "m",
            True,
        ),
        ("error({})", "INTERNAL", "error object is a table", False),
        ("error()", "INTERNAL", "<no error object>", False),
        ("coroutine.spawn(function() error('inner') end) time.sleep('1h')", "INTERNAL", "wf.lua:2: inner", False),
        ("return {f = {function() end}}", "INVALID", "the result cannot be sent: ", True),
    ],
)
def test_how_a_run_fails(bench: Any, body: str, kind: str, message: str, non_retryable: bool) -> None:
    failure = bare_failure(bench, body, modules="time")
    info = failure.application_failure_info
    assert (info.type, info.non_retryable) == (kind, non_retryable)
    assert message in failure.message


def test_stack_of_a_thrown_text_names_each_function(bench: Any) -> None:
    failure = bare_failure(
        bench,
        """
local function inner() error("deep") end
local function outer() inner() return 1 end
local function main() outer() return 2 end
return { main = main }
""",
    )
    assert [line in failure.stack_trace for line in ("wf.lua:2: in", "wf.lua:3: in", "wf.lua:4: in")] == [True] * 3


def test_details_that_cannot_be_sent_do_not_hide_the_failure(bench: Any) -> None:
    failure = bare_failure(bench, "return nil, errors.new{message = 'm', kind = 'CONFLICT', details = {f = {print}}}")
    assert (failure.message, failure.application_failure_info.type) == ("m", "CONFLICT")
    assert "details" not in json.loads(failure.application_failure_info.details.payloads[0].data)["errors"][0]


def test_message_that_is_not_utf8_reaches_the_server(bench: Any) -> None:
    failure = bare_failure(bench, "return nil, errors.new{message = 'bytes \\xff', kind = 'CONFLICT'}")
    assert failure.message == "bytes \ufffd" and failure.application_failure_info.type == "CONFLICT"


# ---- the errors module


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("errors.new('m'):kind()", "UNKNOWN"),
        ("errors.new('m'):retryable() == nil", True),
        ("errors.new('m'):details() == nil", True),
        ("errors.new{message='m', details={}}:details() == nil", True),
        ("errors.new{message='m', kind='not_found'}:kind()", "NOT_FOUND"),
        ("errors.new{message='m', kind='RateLimited'}:kind() == errors.RATE_LIMITED", True),
        ("errors.is(errors.new{message='m', kind='TIMEOUT'}, 'Timeout')", True),
        ("errors.is('text', errors.TIMEOUT)", False),
        ("errors.is(nil, errors.TIMEOUT)", False),
        ("'a' .. errors.new('m') .. 'b'", "amb"),
        ("1 .. errors.new('m')", "1m"),
        ("errors.wrap('text', 'ctx'):message()", "text"),
        ("errors.wrap(errors.new{message='m', kind='CONFLICT', details={a=1}}, errors.new('why')):kind()", "CONFLICT"),
        ("errors.wrap(errors.new{message='m', details={a=1}}, 'c'):details().a", 1),
        ("errors.call_stack(errors.new('m')).frames[1].line", 2),
        ("errors.call_stack('text') == nil", True),
        ("#{errors.new('m').kind, errors.new('m').message}", 2),
        ("select(2, pcall(error, errors.new('same'))):message()", "same"),
        ("type(select(2, pcall(error, 'text')))", "string"),
    ],
)
def test_errors_module(bench: Any, expression: str, expected: Any) -> None:
    bench.workflow(f"return {expression}")
    got = result(BareRun(bench.load()).start())
    assert got == expected and type(got) is type(expected)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("errors.new()", "bad argument #1 to 'new' (string or table expected, got nil)"),
        ("errors.new{}", "bad argument #1 to 'new' (field 'message' must be a string, got nil)"),
        ("errors.new{message='m', kind=7}", "field 'kind' must be a string, got number"),
        ("errors.new{message='m', retryable='yes'}", "field 'retryable' must be a boolean, got string"),
        ("errors.new{message='m', details='x'}", "field 'details' must be a table, got string"),
        ("errors.new{message='m', details={1}}", "field 'details' must have string keys, got a number"),
        ("errors.wrap({}, 'x')", "bad argument #1 to 'wrap' (error or string expected, got table)"),
        ("errors.new('m').kind()", "call it with ':'"),
    ],
)
def test_errors_module_refuses(bench: Any, call: str, text: str) -> None:
    bench.workflow(f"local ok, err = pcall(function() local x = {call} return x end) return {{ok, err}}")
    ok, err = result(BareRun(bench.load()).start())
    assert not ok and text in err and "wf.lua:2:" in err
