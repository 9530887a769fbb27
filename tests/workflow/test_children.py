"""Child workflows (workflows.ja.md 子ワークフロー, workflows.md 6, decisions 9, 17, 18, 20, 21, 24, 28, 32)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from bare_run import BareRun, decoded, result, variants
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob
from temporalio.client import WorkflowExecutionStatus
from workflow_bench import CLIENT, NO_CACHE, WORKER

from fleet.server import EmbeddedServer

STARTED = "start_child_workflow_execution_initiated"


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="workflow time")
    bench.workflow("return ...", name="child", workflow={"name": "ChildFlow"})
    return BareRun(bench.load())


def started(seq: int, failed: int | None = None) -> WorkflowActivationJob:
    """The server has started a child, or refused it."""
    job = WorkflowActivationJob()
    answer = job.resolve_child_workflow_execution_start
    answer.seq = seq
    if failed is None:
        answer.succeeded.run_id = "child-run"
    else:
        answer.failed.cause = failed  # type: ignore[assignment]
    return job


def cancel() -> WorkflowActivationJob:
    """A client's request."""
    job = WorkflowActivationJob()
    job.cancel_workflow.reason = "enough"
    return job


# ---- the document's samples, on a server


@pytest.mark.parametrize(
    "call", ["workflow.exec('app:child', input)", "process.exec('app:child', 'app:worker', input)"]
)
async def test_synchronous_child(bench: Any, call: str) -> None:
    bench.workflow("local input = ... return {hello = input.name}", name="child")
    bench.workflow(
        f"local input = ... local result, err = {call} if err then return nil, err end return result",
        modules="workflow",
    )
    outcome = await bench.run({"name": "world"})
    assert outcome.result == {"hello": "world"}
    started_event = outcome.history.events[0].workflow_execution_started_event_attributes
    (child,) = outcome.attributes(STARTED)
    assert child.workflow_id.startswith(started_event.original_execution_run_id + "_")


async def test_asynchronous_child(bench: Any) -> None:
    bench.workflow("local input = ... return {echo = input.message, own = process.pid()}", name="child")
    bench.workflow(
        """
    local events_ch = process.events()
    local child_pid, err = process.spawn("app:child", "app:worker", {message = "hello from parent"})
    if err then
        return {status = "spawn_failed", error = tostring(err)}
    end
    local event = events_ch:receive()
    assert(event.kind == process.event.EXIT and event.result.error == nil and event.at > 1700000000)
    assert(event.from == child_pid and event.result.value.own == child_pid)
    return event.result.value.echo
    """
    )
    assert (await bench.run()).result == "hello from parent"


@pytest.mark.parametrize("spawn", ["spawn", "spawn_monitored"])
async def test_errors_of_a_child_arrive_in_its_exit_event(bench: Any, spawn: str) -> None:
    bench.workflow(
        "return nil, errors.new{message = 'no such order', kind = errors.NOT_FOUND, retryable = false}", name="child"
    )
    bench.workflow(
        f"""
    local child_pid = process.{spawn}("app:child", "app:worker")
    time.sleep("100ms")
    local event = process.events():receive()
    local err = event.result.error
    return {{err:kind(), err:retryable(), err:message(), event.result.value == nil, event.from == child_pid}}
    """,
        modules="time",
    )
    assert (await bench.run()).result == ["NOT_FOUND", False, "no such order", True, True]


async def test_errors_of_an_executed_child(bench: Any) -> None:
    bench.workflow("error('broken')", name="child")
    bench.workflow(
        """
    local result, err = process.exec("app:child", "app:worker")
    return {result == nil, err:kind(), err:retryable(), err:message(), err:details()._wrapper}
    """
    )
    failed, kind, retryable, message, wrapper = (await bench.run()).result
    assert (failed, kind, retryable, wrapper) == (True, "INTERNAL", False, "child_workflow")
    assert message.endswith("broken")


async def test_names_options_and_context(bench: Any) -> None:
    bench.workflow("return {workflow.info().workflow_id, ctx.get('tenant')}", name="child", modules="workflow ctx")
    bench.workflow(
        """
    local name = ...
    local spawner = process.with_options({["temporal.workflow.run_timeout"] = "30s", ["workflow.run_timeout"] = 1,
        ["workflow.memo"] = {note = "n"}}):with_name(name):with_context({tenant = "acme"})
    return spawner:exec("app:child", "app:worker")
    """
    )
    outcome = await bench.run(name := f"child-{uuid.uuid4().hex}")
    assert outcome.result == [name, "acme"]
    (child,) = outcome.attributes(STARTED)
    assert child.workflow_run_timeout.ToTimedelta() == timedelta(seconds=30)
    assert child.memo.fields["note"].data == b'"n"'


def refused(seq: int) -> WorkflowActivationJob:
    """The server has another workflow of that id."""
    return started(seq, failed=1)


async def test_a_running_child_of_that_name_gets_the_messages(bench: Any) -> None:
    bench.workflow(
        """
    local counter, ch = ..., process.listen("increment")
    for _ = 1, 4 do counter = counter + ch:receive() end
    return counter
    """,
        name="child",
    )
    bench.workflow(
        """
    local named = process.with_options({}):with_name(...)
    local first = named:with_message("increment", 1):spawn("app:child", "app:worker", 10)
    local second = named:with_message("increment", 2):with_message("increment", 3):spawn("app:child", "app:worker", 99)
    local third = named:with_message("increment", 4):spawn_monitored("app:child", "app:worker", 99)
    local fourth = named:spawn("app:child", "app:worker")
    assert(second == first and third == first and fourth == first)
    return process.events():receive().result.value
    """
    )
    app = bench.load()
    for overrides in ({}, NO_CACHE):
        async with bench.serving(app, **overrides) as serving:
            outcome = await bench.outcome(await bench.start(serving, f"child-{uuid.uuid4().hex}"))
        await bench.replay(app, outcome)
        assert outcome.result == 20


def test_a_workflow_of_that_name_that_closes_meanwhile(bench: Any) -> None:
    run = bare(
        bench,
        """
    local spawner = process.with_options({["workflow.id"] = "taken"}):with_message("go", 1)
    local pid, err = spawner:spawn("app:child", "app:worker")
    return {pid == nil, err:kind()}
    """,
    )
    run.start()
    (signal,) = run.activate(refused(1))
    sent = signal.signal_external_workflow_execution
    assert (sent.signal_name, sent.workflow_execution.workflow_id, decoded(sent.args[0])) == ("go", "taken", 1)
    job = WorkflowActivationJob()
    job.resolve_signal_external_workflow.seq = sent.seq
    job.resolve_signal_external_workflow.cause = 1  # type: ignore[assignment]
    job.resolve_signal_external_workflow.failure.message = "gone"
    assert result(run.activate(job)) == [True, "NOT_FOUND"]


@pytest.mark.parametrize(
    "call",
    [
        "process.with_options({['workflow.id'] = 'x'}):exec('app:child', 'app:worker')",
        "process.with_options({['workflow.id'] = 'x', ['workflow.id_reuse_policy'] = 'reject_duplicate'})"
        ":spawn('app:child', 'app:worker')",
        "process.spawn('app:child', 'app:worker')",
    ],
)
def test_an_id_that_is_taken(bench: Any, call: str) -> None:
    run = bare(bench, f"local pid, err = {call} return {{pid == nil, err:kind(), err:retryable()}}")
    run.start()
    assert result(run.activate(refused(1))) == [True, "ALREADY_EXISTS", False]


def test_a_child_in_another_namespace(bench: Any) -> None:
    run = bare(
        bench,
        """
    local pid = process.with_options({["workflow.namespace"] = "other", ["workflow.id"] = "x"})
        :spawn("app:child", "app:worker")
    process.send(pid, "hello")
    return pid
    """,
    )
    assert run.start()[0].start_child_workflow_execution.namespace == "other"
    (signal,) = run.activate(started(1))
    execution = signal.signal_external_workflow_execution.workflow_execution
    assert (execution.namespace, execution.workflow_id) == ("other", "x")
    job = WorkflowActivationJob()
    job.resolve_signal_external_workflow.seq = signal.signal_external_workflow_execution.seq
    assert result(run.activate(job)) == "{app:temporal/other@app:worker|x}"


async def test_children_of_another_namespace_on_a_server(bench: Any) -> None:
    other = {**CLIENT, "name": "elsewhere", "namespace": "other"}
    bench.entries += [other, {**WORKER, "name": "far", "client": "app:elsewhere", "task_queue": bench.queue}]
    bench.workflow(
        """
    local parent = ...
    assert(process.send(parent, "ready", 1))
    return {process.pid(), process.listen('go'):receive(), workflow.info().namespace}
    """,
        name="child",
        modules="workflow",
        workflow={"worker": "app:far"},
    )
    bench.workflow(
        """
    local events, results = process.events(), {}
    local ready = process.listen("ready", {message = true})
    local pid = assert(process.spawn("app:child", "app:far", process.pid()))
    assert(ready:receive():from() == pid)
    assert(process.send(pid, "go", "went"))
    local event = events:receive()
    if event.result.error then error(event.result.error) end
    results[1] = {event.from == pid, event.result.value}
    pid = process.spawn("app:child", "app:far", process.pid())
    assert(process.terminate(pid))
    results[2] = events:receive().result.error:message()
    pid = process.spawn("app:child", "app:far", process.pid())
    assert(process.cancel(pid))
    results[3] = events:receive().result.error:kind()
    return results
    """
    )
    app = bench.load()
    async with EmbeddedServer.start(namespaces=["default", "other"]) as server:
        bench.address = server.address
        async with bench.serving(app) as serving:
            outcome = await bench.outcome(await bench.start(serving))
    assert outcome.failure is None, outcome.failure
    (same, (pid, received, namespace)), ended, cancelled = outcome.result
    assert same and pid.startswith("{app:elsewhere@app:far|") and (received, namespace) == ("went", "other")
    assert (ended, cancelled) == ("workflow terminated", "CANCELED")
    await bench.replay(app, outcome)


def test_a_worker_of_another_server_is_refused(bench: Any) -> None:
    other = {**CLIENT, "name": "elsewhere", "address": "elsewhere:7233"}
    bench.entries += [other, {**WORKER, "name": "far", "client": "app:elsewhere", "task_queue": "far"}]
    bench.workflow("return 1", name="there", workflow={"worker": "app:far"})
    run = bare(
        bench,
        """
    local _, spawned = process.spawn("app:there", "app:far")
    local _, sent = process.send("{app:elsewhere@app:far|x}", "go")
    return {spawned:kind(), spawned:message(), sent:kind()}
    """,
    )
    kind, message, sent = result(run.start())
    assert (kind, sent) == ("INVALID", "NOT_FOUND") and "another Temporal server" in message


def test_the_option_task_queue_wins(bench: Any) -> None:
    run = bare(bench, "process.with_options({['workflow.task_queue'] = 'own'}):spawn('app:child', 'app:worker')")
    assert run.start()[0].start_child_workflow_execution.task_queue == "own"


def test_versioning_override(bench: Any) -> None:
    run = bare(
        bench,
        """
    local pinned = {mode = "pinned", version = {deployment_name = "fleet", build_id = "7"}}
    coroutine.spawn(function()
        process.with_options({["workflow.versioning_override"] = pinned}):spawn("app:child", "app:worker")
    end)
    process.with_options({["workflow.versioning_override"] = "auto_upgrade"}):spawn("app:child", "app:worker")
    """,
    )
    first, second = (c.start_child_workflow_execution.versioning_override for c in run.start())
    assert (first.pinned.behavior, first.pinned.version.deployment_name, first.pinned.version.build_id) == (
        1,
        "fleet",
        "7",
    )
    assert second.auto_upgrade


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ("abandon", WorkflowExecutionStatus.COMPLETED),
        ("terminate", WorkflowExecutionStatus.TERMINATED),
        ("request_cancel", WorkflowExecutionStatus.CANCELED),
    ],
)
async def test_parent_close_policy(bench: Any, policy: str, status: WorkflowExecutionStatus) -> None:
    bench.workflow("process.listen('go'):receive() return 'done'", name="child")
    bench.workflow(
        f"""
    local spawner = process.with_options({{["temporal.workflow.parent_close_policy"] = "{policy}"}})
    assert(spawner:with_name(...):spawn("app:child", "app:worker"))
    return "closed"
    """
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        name = f"child-{uuid.uuid4().hex}"
        outcome = await bench.outcome(await bench.start(serving, name))
        handle = serving.clients["app:temporal"].get_workflow_handle(name)
        if policy == "abandon":
            await handle.signal("go")
        await bench.outcome(handle)
        assert (await handle.describe()).status == status
    await bench.replay(app, outcome)


async def test_a_cancel_reaches_the_child_that_is_waited_for(bench: Any) -> None:
    bench.workflow("time.sleep('1h')", name="child", modules="time")
    bench.workflow(
        """
    local name = ...
    local value, err = process.with_options({}):with_name(name):exec("app:child", "app:worker")
    time.sleep("300ms")
    return {value == nil, err:kind()}
    """,
        modules="time",
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        name = f"child-{uuid.uuid4().hex}"
        handle = await bench.start(serving, name)
        await bench.event(handle, "child_workflow_execution_started")
        await handle.cancel()
        outcome = await bench.outcome(handle)
        child = await bench.outcome(serving.clients["app:temporal"].get_workflow_handle(name))
    await bench.replay(app, outcome)
    assert outcome.result == [True, "CANCELED"] and child.canceled


async def test_a_cancelled_child_is_told_though_its_parent_closes_at_once(bench: Any) -> None:
    bench.workflow("time.sleep('1h')", name="child", modules="time")
    bench.workflow(
        """
    local spawner = process.with_options({["workflow.parent_close_policy"] = "abandon"})
    return spawner:with_name(...):exec("app:child", "app:worker")
    """
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        name = f"child-{uuid.uuid4().hex}"
        handle = await bench.start(serving, name)
        await bench.event(handle, "child_workflow_execution_started")
        await handle.cancel()
        outcome = await bench.outcome(handle)
        child = await bench.outcome(serving.clients["app:temporal"].get_workflow_handle(name))
    await bench.replay(app, outcome)
    assert outcome.canceled and child.canceled


async def test_a_child_answers_its_parent(bench: Any) -> None:
    bench.workflow(
        "local parent = ... process.send(parent, 'ready', process.pid()) return process.listen('go'):receive()",
        name="child",
    )
    bench.workflow(
        """
    local events = process.events()
    local pid = process.spawn("app:child", "app:worker", process.pid())
    assert(process.listen("ready"):receive() == pid)
    assert(process.send(pid, "go", "went"))
    return events:receive().result.value
    """
    )
    assert (await bench.run()).result == "went"


# ---- the commands and the rules


def test_the_command(bench: Any) -> None:
    run = bare(bench, "return process.spawn('app:child', 'app:worker', 1, 'x')")
    (command,) = run.start()
    child = command.start_child_workflow_execution
    assert (child.workflow_type, child.task_queue, child.workflow_id) == ("ChildFlow", bench.queue, "run-1_1")
    assert [decoded(p) for p in child.input] == [1, "x"]
    assert child.namespace == "default" and child.cancellation_type == 3 and child.parent_close_policy == 0
    assert result(run.activate(started(1))) == "{app:temporal@app:worker|run-1_1}"


def test_a_raw_task_queue_takes_any_type(bench: Any) -> None:
    run = bare(bench, "return process.spawn('PythonFlow', 'python-queue')")
    child = run.start()[0].start_child_workflow_execution
    assert (child.workflow_type, child.task_queue) == ("PythonFlow", "python-queue")
    assert result(run.activate(started(1))) == "{app:temporal@python-queue|run-1_1}"


def test_a_worker_that_does_not_run_the_entry_is_refused(bench: Any) -> None:
    other = {"name": "second", "kind": "temporal.worker", "client": "app:temporal", "task_queue": "second"}
    bench.entries.append(other)
    run = bare(bench, "local _, err = process.spawn('app:child', 'app:second') return {err:kind(), err:message()}")
    assert result(run.start()) == ["INVALID", "app:child runs on app:worker, not on app:second"]


def test_wait_for_cancellation(bench: Any) -> None:
    run = bare(
        bench,
        """
    local spawner = process.with_options({["workflow.wait_for_cancellation"] = true})
    local _, err = spawner:exec("app:child", "app:worker")
    return err:kind()
    """,
    )
    assert run.start()[0].start_child_workflow_execution.cancellation_type == 2
    run.activate(started(1))
    assert variants(run.activate(cancel())) == ["cancel_child_workflow_execution"]
    ended = WorkflowActivationJob()
    ended.resolve_child_workflow_execution.seq = 1
    ended.resolve_child_workflow_execution.result.cancelled.failure.canceled_failure_info.SetInParent()
    assert result(run.activate(ended)) == "CANCELED"


@pytest.mark.parametrize("call", ["spawn", "exec"])
def test_cancelled_before_the_child_has_started(bench: Any, call: str) -> None:
    run = bare(bench, f"local _, err = process.{call}('app:child', 'app:worker') return err:kind()")
    run.start()
    assert variants(run.activate(cancel())) == []
    assert variants(run.activate(started(1))) == ["cancel_child_workflow_execution"]
    ended = WorkflowActivationJob()
    ended.resolve_child_workflow_execution.seq = 1
    ended.resolve_child_workflow_execution.result.cancelled.failure.canceled_failure_info.SetInParent()
    assert result(run.activate(ended)) == "CANCELED"


def test_a_run_that_reads_events_gets_its_cancel_as_one(bench: Any) -> None:
    run = bare(bench, "local event = process.events():receive() return {event.kind, event.reason}")
    run.start()
    assert result(run.activate(cancel())) == ["pid.cancel", "enough"]


def test_children_that_nobody_waits_for_go_on(bench: Any) -> None:
    run = bare(bench, "process.spawn('app:child', 'app:worker') pcall(time.sleep, '1h') return 'ok'")
    run.start()
    run.activate(started(1))
    assert variants(run.activate(cancel())) == ["cancel_timer", "complete_workflow_execution"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("process.spawn('app:child')", "spawn requires at least id and host arguments"),
        ("process.exec('', 'app:worker')", "exec: the ID cannot be empty"),
        ("process.exec('app:child', '')", "exec: the host cannot be empty"),
        ("process.spawn('app:child', 'app:worker', print)", "argument 1 of app:child cannot be sent"),
        ("workflow.exec('')", "workflow ID required"),
        ("workflow.exec('child')", "invalid workflow ID format"),
    ],
)
def test_wrong_values_are_invalid(bench: Any, call: str, message: str) -> None:
    run = bare(bench, f"local value, err = {call} return {{value == nil, err:kind(), err:message()}}")
    failed, kind, text = result(run.start())
    assert failed and kind == "INVALID" and message in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("['workflow.start_delay'] = '1s'", "workflow.start_delay: a child workflow has no such option"),
        ("['temporal.workflow.id_conflict_policy'] = 'fail'", "a child workflow has no such option"),
        (
            "['workflow.parent_policy'] = 1",
            "unknown option workflow.parent_policy: did you mean workflow.parent_close_policy?",
        ),
        ("['workflow.parent_close_policy'] = 'kill'", "expected one of"),
        ("['workflow.run_timeout'] = true", "expected a duration string or milliseconds number"),
        ("['workflow.namespace'] = ''", "expected a non-empty string"),
        ("['workflow.versioning_override'] = {mode = 'pinned'}", 'expected "auto_upgrade" or {mode = "pinned"'),
    ],
)
def test_wrong_options_are_invalid(bench: Any, options: str, message: str) -> None:
    run = bare(
        bench,
        f"local _, err = process.with_options({{{options}}}):spawn('app:child', 'app:worker') "
        "return {err:kind(), err:message()}",
    )
    kind, text = result(run.start())
    assert kind == "INVALID" and message in text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("process.spawn(1, 'app:worker')", "bad argument #1 to 'spawn' (string expected, got number)"),
        ("process.exec('app:child', {})", "bad argument #2 to 'exec' (string expected, got table)"),
        ("process.with_options()", "bad argument #1 to 'with_options' (table expected, got nil)"),
        ("process.with_context({1})", "(string keys expected, got a number)"),
        ("process.with_options({}):with_context(1)", "(table expected, got number)"),
        ("process.with_options({}):with_name('')", "non-empty string in UTF-8 expected"),
        ("workflow.exec(1)", "bad argument #1 to 'exec' (string expected, got number)"),
    ],
)
def test_wrong_types_raise_at_the_callers_line(bench: Any, call: str, message: str) -> None:
    run = bare(bench, f"local _, err = pcall(function() local x = {call} end) return tostring(err)")
    text = result(run.start())
    assert text.startswith("wf.lua:2:") and message in text


def test_spawners_are_immutable(bench: Any) -> None:
    run = bare(
        bench,
        """
    local plain = process.with_options({})
    plain:with_name("other")
    return plain:spawn("app:child", "app:worker")
    """,
    )
    assert run.start()[0].start_child_workflow_execution.workflow_id == "run-1_1"
