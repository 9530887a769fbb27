"""Arguments and results of runs and activities, at their edges (workflows.md 11, decisions 37 and 38)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bare_run import BareRun, TaskFailed, encoded, result
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

ECHO = "return { main = function(...) return ... end }"


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="funcs json")
    return BareRun(bench.load())


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -1,
        2**53,
        2**63 - 1,
        -(2**63),
        1.5,
        1e300,
        -0.1,
        "",
        "text",
        "日本語 🎉",
        '\x00\x1f"\\',
        [],
        {},
        [[]],
        [{}],
        {"a": {}},
        {"a": []},
        [1, None, 3],
        {"": 1},
        {"nested": {"deep": [1, {"x": [True, False]}]}},
        "x" * 100_000,
    ],
)
def test_argument_comes_back_as_it_was(bench: Any, value: Any) -> None:
    commands = bare(bench, "return ...").start(value)
    assert result(commands) == value and type(result(commands)) is type(value)


@pytest.mark.parametrize(
    ("lua", "json"),
    [
        ("2.0", b"2"),
        ("2^53", b"9007199254740992"),
        ("1e100", b"1e100"),
        ("0.1", b"0.1"),
        ("0/0", b"null"),
        ("1/0", b"null"),
        ("math.maxinteger", b"9223372036854775807"),
        ("{}", b"[]"),
        ("json.object{}", b"{}"),
        ("{b = 1, a = 2, [1] = nil}", b'{"a":2,"b":1}'),
        ("{x = errors.new('m')}", b'{"x":"m"}'),
        ("'a/b'", b'"a/b"'),
    ],
)
def test_result_as_json(bench: Any, lua: str, json: bytes) -> None:
    (command,) = bare(bench, f"return {lua}").start()
    assert command.complete_workflow_execution.result.data == json


@pytest.mark.parametrize(
    ("lua", "text"),
    [
        ("{1, 2, [4] = 4}", "sparse"),
        ("{1, a = 2}", "both string and number keys"),
        ("(function() local t = {} t.self = t return t end)()", "self"),
        ("{a = {b = '\\xff'}}", "UTF-8"),
        ("{f = {print}}", "function"),
        ("(function() local t = {} for i = 1, 200 do t = {t} end return t end)()", "128"),
    ],
)
def test_result_that_json_cannot_hold_fails_the_run_and_says_where(bench: Any, lua: str, text: str) -> None:
    (command,) = bare(bench, f"return {lua}").start()
    failure = command.fail_workflow_execution.failure
    assert failure.application_failure_info.type == "INVALID"
    assert failure.message.startswith("the result cannot be sent: ") and text in failure.message


def test_argument_that_cannot_be_sent_is_invalid_and_schedules_nothing(bench: Any) -> None:
    commands = bare(
        bench,
        """
    local value, err = funcs.call("app:work", 1, {a = {1, b = 2}})
    return {value == nil, err:kind(), err:message()}
    """,
    ).start()
    refused, kind, text = result(commands)
    assert refused and kind == "INVALID" and len(commands) == 1
    assert text.startswith("argument 2 of app:work cannot be sent: ") and "a" in text


def test_bytes_are_binary_plain_in_both_directions(bench: Any) -> None:
    run = bare(bench, "local s = ... return s:reverse()")
    (command,) = run.start(payloads=[Payload(metadata={"encoding": b"binary/plain"}, data=b"\xff\x00\xfe")])
    assert command.complete_workflow_execution.result.metadata["encoding"] == b"binary/plain"
    assert command.complete_workflow_execution.result.data == b"\xfe\x00\xff"


def test_nils_keep_their_places(bench: Any) -> None:
    run = bare(bench, "local n = select('#', ...) local a, b, c = ... return {n, a == nil, b, c == nil}")
    nothing = Payload(metadata={"encoding": b"binary/null"})
    assert result(run.start(payloads=[nothing, encoded("b"), nothing])) == [3, True, "b", True]


def test_two_hundred_arguments(bench: Any) -> None:
    run = bare(bench, "local n = 0 for i = 1, select('#', ...) do n = n + (select(i, ...)) end return n")
    assert result(run.start(*range(200))) == sum(range(200))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (
            Payload(metadata={"encoding": b"binary/protobuf"}, data=b"x"),
            "argument 2 of the workflow cannot be read: the encoding is not supported (encoding binary/protobuf)",
        ),
        (Payload(metadata={"encoding": b"json/plain"}, data=b"{broken"), "argument 2 of the workflow cannot be read: "),
        (Payload(data=b"x"), "argument 2 of the workflow cannot be read: "),
    ],
)
def test_argument_that_cannot_be_read_fails_the_task(bench: Any, payload: Payload, message: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        bare(bench, "return 1").start(payloads=[encoded(1), payload])
    assert caught.value.failure.message.startswith(message)


def test_result_of_an_activity_that_cannot_be_read_is_an_error(bench: Any) -> None:
    run = bare(bench, "local v, err = funcs.call('app:work') return {v == nil, err:kind(), err:message()}")
    run.start()

    def protobuf(outcome: Any) -> None:
        outcome.completed.result.metadata["encoding"] = b"json/protobuf"

    refused, kind, text = result(run.resolve(1, change=protobuf))
    assert refused and kind == "INVALID" and text.startswith("the result of app:work cannot be read: ")
    assert "json/protobuf" in text


def test_numbers_keep_their_kinds_on_the_way_through(bench: Any) -> None:
    run = bare(bench, "local t = ... return {math.type(t.i), math.type(t.f), math.type(t.big), t.i // 2, t.f}")
    assert result(run.start({"i": 5, "f": 5.5, "big": 2**63 - 1})) == ["integer", "float", "integer", 2, 5.5]


# ---- on a server


async def test_round_trip_through_an_activity(bench: Any) -> None:
    bench.function(ECHO, "echo")
    bench.workflow(
        """
    local bytes = funcs.call("app:echo", "\\xff\\x00")
    local empty, object = funcs.call("app:echo", {}), funcs.call("app:echo", json.decode("{}"))
    local nothing, err = funcs.call("app:echo")
    return {
        bytes == "\\xff\\x00", json.encode(empty), json.encode(object), nothing == nil, err == nil,
        (funcs.call("app:echo", math.mininteger)), (funcs.call("app:echo", {1, {2, {a = "b"}}})),
    }
    """,
        modules="funcs json",
    )
    outcome = await bench.run()
    assert outcome.result == [True, "[]", "{}", True, True, -(2**63), [1, [2, {"a": "b"}]]]


async def test_result_of_no_value_is_none(bench: Any) -> None:
    bench.workflow("local x = 1")
    outcome = await bench.run()
    assert outcome.result is None
    (completed,) = outcome.attributes("workflow_execution_completed")
    assert completed.result.payloads[0].metadata["encoding"] == b"binary/null"


async def test_argument_over_the_limit_of_the_server_is_a_clear_failure(bench: Any) -> None:
    bench.function(ECHO, "echo")
    bench.workflow("return (funcs.call('app:echo', ('x'):rep(3 * 1024 * 1024)))", modules="funcs")
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving)
        task = asyncio.create_task(bench.event(handle, "workflow_task_failed"))
        ended = asyncio.create_task(bench.outcome(handle))
        done, pending = await asyncio.wait([task, ended], timeout=20, return_when=asyncio.FIRST_COMPLETED)
        for other in pending:
            other.cancel()
    text = str(done.pop().result())
    assert "size" in text.lower() or "blob" in text.lower() or "limit" in text.lower(), text


async def test_unreadable_argument_waits_for_a_worker_that_can_read_it(bench: Any) -> None:
    bench.workflow("return ...")
    payload = Payload(metadata={"encoding": b"binary/encrypted"}, data=b"x")
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving, RawValue(payload))
        failed = (await bench.event(handle, "workflow_task_failed")).failure
        await handle.terminate()
    assert "argument 1 of the workflow cannot be read" in failed.message and "binary/encrypted" in failed.message
