"""Ending and watching other workflows from inside one (workflows.md 6, decisions 16, 19, 28)."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest
from bare_run import BareRun, result, variants
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob
from temporalio.client import WorkflowExecutionStatus
from workflow_bench import NO_CACHE

from fleet.activity import payloads
from fleet.activity.recorded import Asker, terminate

OTHER = "{app:temporal@app:worker|other}"


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="time")
    bench.workflow("return ...", name="child")
    return BareRun(bench.load())


def answer(seq: int, cause: int | None = None) -> WorkflowActivationJob:
    """The server has taken a cancel request, or not."""
    job = WorkflowActivationJob()
    job.resolve_request_cancel_external_workflow.seq = seq
    if cause is not None:
        job.resolve_request_cancel_external_workflow.cause = cause  # type: ignore[assignment]
        job.resolve_request_cancel_external_workflow.failure.message = "Unable to cancel"
    return job


def child_started(seq: int) -> WorkflowActivationJob:
    """The server has started a child."""
    job = WorkflowActivationJob()
    job.resolve_child_workflow_execution_start.seq = seq
    job.resolve_child_workflow_execution_start.succeeded.run_id = "child-run"
    return job


def child_ended(seq: int) -> WorkflowActivationJob:
    """A child has returned nil."""
    job = WorkflowActivationJob()
    job.resolve_child_workflow_execution.seq = seq
    job.resolve_child_workflow_execution.result.completed.result.metadata["encoding"] = b"binary/null"
    return job


# ---- on a server


async def twice(bench: Any, *args: Any) -> list[Any]:
    """Outcomes with the sticky cache and without, each replayed; a name that is new each time comes first."""
    app, outcomes = bench.load(), []
    for overrides in ({}, NO_CACHE):
        async with bench.serving(app, **overrides) as serving:
            outcome = await bench.outcome(await bench.start(serving, f"other-{uuid.uuid4().hex}", *args))
        await bench.replay(app, outcome)
        assert outcome.failure is None, outcome.failure
        outcomes.append(outcome)
    return outcomes


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("time.sleep('1h')", ["CANCELED", None]),
        ("local ok, err = pcall(time.sleep, '1h') time.sleep('200ms') return 'compensated'", [None, "compensated"]),
        ("local event = process.events():receive() return event.reason or event.deadline", [None, 60_000_000_000]),
        ("process.events() channel.new():receive()", ["CANCELED", None]),
    ],
)
async def test_a_cancelled_child_ends_in_its_own_time(bench: Any, body: str, expected: list[Any]) -> None:
    deadline = "1s" if "new" in body else "1m"
    bench.workflow(body, name="child", modules="time")
    bench.workflow(
        f"""
    local events = process.events()
    local pid = process.with_options({{}}):with_name(...):spawn("app:child", "app:worker")
    time.sleep("100ms")
    assert(process.cancel(pid, "{deadline}"))
    local result = events:receive().result
    return {{kind = result.error and result.error:kind(), value = result.value}}
    """,
        modules="time",
    )
    for outcome in await twice(bench):
        assert [outcome.result.get("kind"), outcome.result.get("value")] == expected


async def test_terminate_ends_it_at_once(bench: Any) -> None:
    bench.workflow("while true do pcall(time.sleep, '1h') end", name="child", modules="time")
    bench.workflow(
        """
    local events = process.events()
    local pid = process.with_options({}):with_name(...):spawn("app:child", "app:worker")
    assert(process.terminate(pid))
    local err = events:receive().result.error
    local again, gone = process.terminate(pid)
    local never, unknown = process.terminate("{app:temporal@app:worker|never-started}")
    local _, cancelled = process.cancel("{app:temporal@app:worker|never-started}")
    return {err:kind(), err:message(), again == nil, gone:kind(), never == nil, unknown:kind(), cancelled:kind()}
    """
    )
    for outcome in await twice(bench):
        kind, message, *rest = outcome.result
        assert (kind, message) == ("CANCELED", "workflow terminated")
        assert rest == [True, "NOT_FOUND", True, "NOT_FOUND", "NOT_FOUND"]


async def test_a_termination_that_is_made_twice_is_one(bench: Any) -> None:
    bench.workflow("process.listen('go'):receive()", name="child")
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving, name="child")
        asker = Asker(await bench.client(), "run-1", "3")
        arguments = [payloads.encode(handle.id), payloads.encode("default")]
        assert [await terminate(arguments, asker) for _ in range(2)] == [payloads.encode(True)] * 2
        assert await terminate(arguments, dataclasses.replace(asker, activity_id="4")) == payloads.encode(False)


async def test_a_workflow_ends_itself(bench: Any) -> None:
    bench.workflow("process.terminate(process.pid()) return 'never'", name="wf")
    bench.workflow("process.cancel(process.pid(), 'tired') time.sleep('1h')", name="tired", modules="time")
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving)
        await bench.outcome(handle)
        assert (await handle.describe()).status == WorkflowExecutionStatus.TERMINATED
        outcome = await bench.outcome(await bench.start(serving, name="tired"))
    assert outcome.canceled
    await bench.replay(app, outcome)


# ---- the commands and the rules


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("", ""),
        (", 'out of stock'", "out of stock"),
        (", '5s'", "lua-fleet-deadline=5000ms"),
        (", 1500", "lua-fleet-deadline=1500ms"),
        (", 0.2", "lua-fleet-deadline=1ms"),
        (", time.parse_duration('2m')", "lua-fleet-deadline=120000ms"),
    ],
)
def test_the_cancel_command(bench: Any, argument: str, reason: str) -> None:
    run = bare(bench, f"local ok, err = process.cancel('{OTHER}'{argument}) return {{ok, err == nil}}")
    (command,) = run.start()
    request = command.request_cancel_external_workflow_execution
    assert (request.reason, request.workflow_execution.workflow_id) == (reason, "other")
    assert request.workflow_execution.namespace == "default"
    assert result(run.activate(answer(request.seq))) == [True, True]


@pytest.mark.parametrize("cause", [1, 2])
def test_a_cancel_of_what_does_not_run(bench: Any, cause: int) -> None:
    run = bare(bench, f"local _, err = process.cancel('{OTHER}') return {{err:kind(), err:message()}}")
    run.start()
    kind, message = result(run.activate(answer(1, cause)))
    assert kind == "NOT_FOUND" and OTHER in message


def test_the_terminate_command(bench: Any) -> None:
    run = bare(bench, f"return process.terminate('{OTHER}')")
    (command,) = run.start()
    assert command.schedule_local_activity.activity_type == "lua-fleet.terminate"
    assert [p.data for p in command.schedule_local_activity.arguments] == [b'"other"', b'"default"']
    assert result(run.resolve(1, True)) is True


WATCH = """
local events = process.events()
local a, b = process.spawn("app:child", "app:worker"), process.spawn("app:child", "app:worker")
assert(process.unmonitor(a))
%s
local first = events:receive()
return first.from == a and "a" or "b"
"""


def watched(bench: Any, middle: str) -> BareRun:
    run = bare(bench, WATCH % middle)
    run.start()
    run.activate(child_started(1))
    run.activate(child_started(2))
    return run


def test_unmonitor_switches_the_exit_event_off(bench: Any) -> None:
    run = watched(bench, "")
    assert run.activate(child_ended(1)) == []
    assert result(run.activate(child_ended(2))) == "b"


def test_monitor_switches_it_on_again(bench: Any) -> None:
    run = watched(bench, "assert(process.monitor(a))")
    assert result(run.activate(child_ended(1))) == "a"


def test_monitor_of_a_child_that_ended_unwatched(bench: Any) -> None:
    run = watched(bench, "time.sleep('1s') assert(process.monitor(a))")
    assert run.activate(child_ended(1)) == []
    assert result(run.fire(3)) == "a"


@pytest.mark.parametrize(
    "call",
    [
        f"monitor('{OTHER}')",
        f"unmonitor('{OTHER}')",
        f"link('{OTHER}')",
        f"unlink('{OTHER}')",
        "monitor('{n-0123456789ab@app:host|0x00001}')",
        "spawn_linked('app:child', 'app:worker')",
        "spawn_linked_monitored('app:child', 'app:worker')",
        "registry.register('me')",
        "registry.lookup('you')",
        "registry.unregister('me')",
        "with_options({}):spawn_linked('app:child', 'app:worker')",
    ],
)
def test_what_workflows_do_not_have(bench: Any, call: str) -> None:
    run = bare(
        bench, f"local ok, err = process.{call} return {{ok == nil, err:kind(), err:retryable(), err:message()}}"
    )
    failed, kind, retryable, message = result(run.start())
    assert (failed, kind, retryable) == (True, "INVALID", False) and "supported in workflow context" in message


@pytest.mark.parametrize("name", ["cancel", "terminate", "monitor", "unmonitor", "link", "unlink"])
def test_misuse(bench: Any, name: str) -> None:
    run = bare(
        bench,
        f"""
    local _, missing = process.{name}(nil)
    local _, unresolved = process.{name}("nobody")
    local _, thrown = pcall(function() local x = process.{name}(7) end)
    return {{missing:kind(), unresolved:kind(), thrown}}
    """,
    )
    missing, unresolved, thrown = result(run.start())
    assert (missing, unresolved) == ("INVALID", "NOT_FOUND")
    assert thrown == f"wf.lua:5: bad argument #1 to '{name}' (string expected, got number)"


@pytest.mark.parametrize("argument", ["0", "-1", "'-5s'", "'0s'", "0/0", "'\\xff'"])
def test_wrong_deadlines_are_invalid(bench: Any, argument: str) -> None:
    run = bare(bench, f"local ok, err = process.cancel('{OTHER}', {argument}) return {{ok == nil, err:kind()}}")
    assert result(run.start()) == [True, "INVALID"]


def test_a_cancel_argument_of_the_wrong_type_raises(bench: Any) -> None:
    run = bare(bench, f"local _, err = pcall(function() local x = process.cancel('{OTHER}', {{}}) end) return err")
    assert result(run.start()) == "wf.lua:2: bad argument #2 to 'cancel' (duration or string expected, got table)"


def test_processes_outside_are_out_of_reach(bench: Any) -> None:
    run = bare(
        bench,
        """
    local _, cancelled = process.cancel("{n-0123456789ab@app:host|0x00001}")
    local _, ended = process.terminate("{n-0123456789ab@app:host|0x00001}")
    return {cancelled:kind(), ended:kind()}
    """,
    )
    assert result(run.start()) == ["NOT_FOUND", "NOT_FOUND"]


def test_options(bench: Any) -> None:
    run = bare(
        bench,
        """
    local before = process.get_options().trap_links
    assert(process.set_options({trap_links = true}))
    local wrong = {}
    for _, options in ipairs{{trap_links = 1}, {trap = true}} do
        local ok, err = process.set_options(options)
        wrong[#wrong + 1] = ok == false and err:kind()
    end
    local ok, err = process.set_options(1)
    return {before, process.get_options().trap_links, wrong, ok == false and err:kind()}
    """,
    )
    assert result(run.start()) == [False, True, ["INVALID", "INVALID"], "INVALID"]


def test_cancelled_while_it_waits(bench: Any) -> None:
    run = bare(bench, f"local _, err = process.cancel('{OTHER}') return err:kind()")
    run.start()
    job = WorkflowActivationJob()
    job.cancel_workflow.reason = "enough"
    assert result(run.activate(job)) == "CANCELED"


def test_cancelled_while_it_terminates(bench: Any) -> None:
    run = bare(bench, f"local _, err = process.terminate('{OTHER}') return err:kind()")
    assert variants(run.start()) == ["schedule_local_activity"]
    job = WorkflowActivationJob()
    job.cancel_workflow.reason = "enough"
    assert result(run.activate(job)) == "CANCELED"
