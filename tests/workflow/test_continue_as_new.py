"""Continue-as-new: arguments, context, unread messages and a pending cancel go on (decisions 16, 27, 40; workflows.md 8)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from bare_run import BareRun, decoded, encoded, result, variants
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob
from temporalio.client import WorkflowExecutionStatus
from workflow_bench import CLIENT, NO_CACHE, WORKER, Outcome


def signal(name: str, *payloads: Payload, sender: str | None = None) -> WorkflowActivationJob:
    """A signal as core delivers it."""
    job = WorkflowActivationJob()
    job.signal_workflow.signal_name = name
    job.signal_workflow.input.extend(payloads)
    if sender is not None:
        job.signal_workflow.headers["lua-fleet-from"].CopyFrom(encoded(sender))
    return job


def cancel(reason: str = "enough") -> WorkflowActivationJob:
    """A client's request."""
    job = WorkflowActivationJob()
    job.cancel_workflow.reason = reason
    return job


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="time workflow ctx")
    return BareRun(bench.load())


def continued(run: BareRun, previous: Any, *jobs: WorkflowActivationJob, **changes: Any) -> Any:
    """The first task of the run that a continue-as-new command starts; its commands."""
    job = WorkflowActivationJob()
    start = job.initialize_workflow
    start.workflow_id, start.workflow_type, start.attempt = "wf-1", previous.workflow_type, changes.get("attempt", 1)
    start.continued_from_execution_run_id, start.continued_initiator = "run-0", changes.get("initiator", 1)
    start.arguments.extend(previous.arguments)
    for name, payload in previous.headers.items():
        start.headers[name].CopyFrom(payload)
    run.now += 1
    return run.activate(job, *jobs)


async def replay_chain(bench: Any, handle: Any) -> int:
    """Replay all runs of a workflow; how many there are."""
    app, client = bench.load(), await bench.client()
    run_id, runs = handle.first_execution_run_id, 0
    while run_id:
        history = await client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        outcome = Outcome(history=history)
        await bench.replay(app, outcome)
        ended = outcome.attributes("workflow_execution_continued_as_new")
        run_id, runs = ended[0].new_execution_run_id if ended else None, runs + 1
    return runs


# ---- on a server


@pytest.mark.parametrize("overrides", [{}, NO_CACHE])
@pytest.mark.parametrize("call", ["workflow.continue_as_new(n - 1, seen)", "process.upgrade(nil, n - 1, seen)"])
async def test_arguments_context_memo_and_timeouts_go_on(bench: Any, overrides: dict[str, Any], call: str) -> None:
    bench.workflow(
        f"""
    local n, seen = ...
    seen = seen or {{}}
    seen[#seen + 1] = workflow.info().run_id
    if n > 0 then {call} end
    return {{seen = seen, tenant = ctx.get("tenant"), id = workflow.info().workflow_id}}
    """,
        modules="workflow ctx",
    )
    bench.workflow(
        """
    local name = ...
    local options = {["workflow.memo"] = {note = "kept"}, ["workflow.run_timeout"] = "50s"}
    return process.with_options(options):with_context({tenant = "acme"}):with_name(name):exec("app:wf", "app:worker", 2)
    """,
        name="parent",
    )
    app, name = bench.load(), f"can-{uuid.uuid4().hex}"
    async with bench.serving(app, **overrides) as serving:
        outcome = await bench.outcome(await bench.start(serving, name, name="parent"))
        description = await serving.clients["app:temporal"].get_workflow_handle(name).describe()
    assert len(set(outcome.result["seen"])) == 3 and outcome.result["tenant"] == "acme"
    assert await description.memo() == {"note": "kept"}
    assert description.raw_description.execution_config.workflow_run_timeout.ToTimedelta() == timedelta(seconds=50)


@pytest.mark.parametrize("overrides", [{}, NO_CACHE])
async def test_another_entry_goes_on(bench: Any, overrides: dict[str, Any]) -> None:
    bench.workflow("process.upgrade('app:second', 'x') return 'not here'")
    bench.workflow("return {process.id(), ...}", name="second", workflow={"name": "SecondFlow"})
    app = bench.load()
    async with bench.serving(app, **overrides) as serving:
        assert (await bench.outcome(await bench.start(serving))).result == ["app:second", "x"]


@pytest.mark.parametrize("overrides", [{}, NO_CACHE])
async def test_no_message_is_lost_and_none_doubled(bench: Any, overrides: dict[str, Any]) -> None:
    bench.workflow(
        """
    local got = ... or {}
    local ch, inbox = process.listen("a"), process.inbox()
    for _ = 1, 5 do
        local picked = channel.select{ch:case_receive(), inbox:case_receive()}
        got[#got + 1] = picked.channel == ch and picked.value or picked.value:payload():data()
        if #got == 42 then return got end
    end
    workflow.continue_as_new(got)
    """,
        modules="workflow",
    )
    app = bench.load()
    async with bench.serving(app, **overrides) as serving:
        handle = await bench.start(serving)
        for n in range(42):
            await handle.signal("abc"[n % 3], n)
        got = (await bench.outcome(handle)).result
    assert sorted(got) == list(range(42))
    # What came on one channel stays in order.
    assert [n for n in got if n % 3 == 0] == list(range(0, 42, 3))
    assert [n for n in got if n % 3] == [n for n in range(42) if n % 3]
    assert await replay_chain(bench, handle) == 9


async def test_a_cancel_goes_on_with_its_deadline(bench: Any) -> None:
    bench.workflow(
        """
    local round = ... or 1
    if round == 1 then
        process.events()
        process.listen("go"):receive()
        workflow.continue_as_new(2)
    end
    process.events()
    channel.new():receive()
    """,
        modules="workflow",
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving)
        await bench.event(handle, "workflow_task_completed")
        await handle.cancel(reason="lua-fleet-deadline=1500ms")
        await bench.event(handle, "timer_started")
        await handle.signal("go")
        assert (await bench.outcome(handle)).canceled
        assert (await handle.describe()).status == WorkflowExecutionStatus.CANCELED
    assert await replay_chain(bench, handle) == 2


# ---- the command and the rules


def test_the_command(bench: Any) -> None:
    run = bare(bench, "pcall(workflow.continue_as_new, 1, 'x') coroutine.yield() time.sleep(1) return 'never'")
    (command,) = run.start()
    new = command.continue_as_new_workflow_execution
    assert (new.workflow_type, new.task_queue) == ("app:wf", "q")
    assert [decoded(p) for p in new.arguments] == [1, "x"] and not new.headers and not new.memo


def test_from_a_spawned_coroutine(bench: Any) -> None:
    run = bare(bench, "coroutine.spawn(function() workflow.continue_as_new(1) end) return 'never'")
    assert variants(run.start()) == ["continue_as_new_workflow_execution"]


UNREAD = """
local listened, inbox, given_up = process.listen("a"), nil, process.listen("b", {message = true})
process.listen("go"):receive()
given_up = given_up, process.unlisten(given_up)
local first = listened:receive()
process.send(process.pid(), "a", "own")
workflow.continue_as_new(first)
"""


def test_what_no_script_has_received_is_unread(bench: Any) -> None:
    run = bare(bench, UNREAD)
    run.start()
    (command,) = run.activate(
        signal("a", encoded(1)),
        signal("b", encoded({"k": 2}), sender="{n-1@app:host|0x00001}"),
        signal("kept", encoded(1), encoded(None)),
        signal("a"),
        signal("go"),
        signal("a", Payload(metadata={"encoding": b"binary/plain"}, data=b"\xff\x00")),
    )
    new = command.continue_as_new_workflow_execution
    assert [decoded(p) for p in new.arguments] == [1]
    assert decoded(new.headers["lua-fleet-unread"]) == [
        {"topic": "b", "n": 1, "from": "{n-1@app:host|0x00001}"},
        {"topic": "kept", "n": 2},
        {"topic": "a", "n": 0},
        {"topic": "a", "n": 1},
        {"topic": "a", "n": 1, "from": "{app:temporal@app:worker|wf-1}"},
    ]
    assert new.headers["lua-fleet-unread-4"].data == b"\xff\x00" and len(new.headers) == 6


READ_THREE = """
local inbox, got = process.inbox(), {}
for i = 1, 3 do local msg = inbox:receive() got[i] = {msg:topic(), msg:from() or "nobody"} end
return got
"""


def test_unread_messages_come_before_new_ones(bench: Any) -> None:
    before = bare(bench, "process.listen('go'):receive() workflow.continue_as_new()")
    before.start()
    (command,) = before.activate(signal("b", sender="{c@w|x}"), signal("a", encoded(1)), signal("go"))
    bench.deploy(f"local function main(...)\n{READ_THREE}\nend\nreturn {{ main = main }}")
    run = BareRun(bench.load())
    commands = continued(run, command.continue_as_new_workflow_execution, signal("new"))
    assert result(commands) == [["b", "{c@w|x}"], ["a", "nobody"], ["new", "nobody"]]


@pytest.mark.parametrize("change", [{"attempt": 2}, {"initiator": 2}, {"initiator": 3}])
def test_a_retry_and_a_cron_run_inherit_nothing(bench: Any, change: dict[str, int]) -> None:
    before = bare(bench, "process.listen('go'):receive() workflow.continue_as_new()")
    before.start()
    (command,) = before.activate(signal("a"), signal("a"), signal("a"), signal("go"))
    bench.deploy(f"local function main(...)\n{READ_THREE}\nend\nreturn {{ main = main }}")
    assert continued(BareRun(bench.load()), command.continue_as_new_workflow_execution, **change) == []


READS_EVENTS = """
local round = ... or 1
local events = process.events()
if round == 2 then
    local event = events:receive()
    return {event.kind, event.at, event.reason or "none", event.deadline}
end
process.listen("go"):receive()
workflow.continue_as_new(2)
"""


def test_an_unread_cancel_goes_on(bench: Any) -> None:
    run = bare(bench, READS_EVENTS)
    run.start()
    assert run.activate(cancel()) == []
    (command,) = run.activate(signal("go"))
    event = result(continued(BareRun(bench.load()), command.continue_as_new_workflow_execution))
    assert event == ["pid.cancel", 1_700_000_001, "enough"]


def test_a_cancel_in_the_task_that_continues_goes_on(bench: Any) -> None:
    run = bare(bench, READS_EVENTS)
    run.start()
    (command,) = run.activate(signal("go"), cancel())
    event = result(continued(BareRun(bench.load()), command.continue_as_new_workflow_execution))
    assert event[0] == "pid.cancel"


def test_an_unread_cancel_with_a_deadline_goes_on(bench: Any) -> None:
    run = bare(bench, READS_EVENTS)
    run.start()
    (timer,) = run.activate(cancel("lua-fleet-deadline=10000ms"))
    assert timer.start_timer.start_to_fire_timeout.ToTimedelta() == timedelta(seconds=10)
    (command,) = run.activate(signal("go"))
    after = BareRun(bench.load())
    after.now = run.now
    timer, _ = commands = continued(after, command.continue_as_new_workflow_execution)
    assert timer.start_timer.start_to_fire_timeout.ToTimedelta() == timedelta(seconds=7)
    assert result(commands) == ["pid.cancel", 1_700_000_001, "none", 10_000_000_000]


def test_a_cancel_that_was_read_leaves_only_its_deadline(bench: Any) -> None:
    run = bare(
        bench,
        """
    local event = process.events():receive()
    if event.reason then return event.reason end
    process.listen("go"):receive()
    workflow.continue_as_new(2)
    """,
    )
    run.start()
    run.activate(cancel("lua-fleet-deadline=10000ms"))
    (command,) = run.activate(signal("go"))
    after = BareRun(bench.load())
    after.now = run.now
    (timer,) = continued(after, command.continue_as_new_workflow_execution)
    assert timer.HasField("start_timer")
    # The new run is a run of its own: Temporal delivers a request to it too.
    assert result(after.activate(cancel("again"))) == "again"


def test_a_handled_cancel_is_over(bench: Any) -> None:
    run = bare(bench, "if ... then return 'on' end pcall(time.sleep, '1h') workflow.continue_as_new(2)")
    run.start()
    _, command = run.activate(cancel())
    assert not command.continue_as_new_workflow_execution.headers


def test_messages_cancel_and_continuation_together(bench: Any) -> None:
    run = bare(
        bench,
        """
    local round = ... or 1
    local events, inbox = process.events(), process.inbox()
    if round == 1 then
        process.listen("go"):receive()
        inbox:receive()
        workflow.continue_as_new(2)
    end
    return {inbox:receive():topic(), inbox:receive():topic(), events:receive().reason}
    """,
    )
    run.start()
    (command,) = run.activate(signal("one"), signal("two"), signal("go"), cancel())
    commands = continued(BareRun(bench.load()), command.continue_as_new_workflow_execution, signal("three"))
    assert result(commands) == ["two", "three", "enough"]


def test_a_run_stays_in_its_namespace(bench: Any) -> None:
    bench.entries += [
        {**CLIENT, "name": "elsewhere", "namespace": "other"},
        {**WORKER, "name": "far", "client": "app:elsewhere", "task_queue": "far"},
    ]
    bench.workflow("return 1", name="there", workflow={"worker": "app:far"})
    run = bare(bench, "local _, err = pcall(process.upgrade, 'app:there') return {err:kind(), err:message()}")
    message = "app:there runs on app:far in the namespace other: a run goes on in its own, default"
    assert result(run.start()) == ["INVALID", message]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        ("workflow.continue_as_new(print)", "INVALID", "argument 1 of app:wf cannot be sent"),
        ("process.upgrade('app:wf', 1, {[1] = 1, x = 2})", "INVALID", "argument 2 of app:wf cannot be sent"),
        ("process.upgrade(1)", None, "bad argument #1 to 'upgrade' (string or nil expected, got number)"),
        ("process.upgrade('\\xff')", None, "bad argument #1 to 'upgrade' (not UTF-8)"),
        ("table.sort({2, 1}, function() workflow.continue_as_new() end)", None, "block"),
    ],
)
def test_misuse_raises(bench: Any, call: str, kind: str | None, message: str) -> None:
    run = bare(
        bench,
        f"local ok, err = pcall(function() {call} end) "
        "return {ok, type(err) == 'userdata' and err:kind() or 'text', tostring(err)}",
    )
    ok, found, text = result(run.start())
    assert not ok and found == (kind or "text") and message in text


@pytest.mark.parametrize("overrides", [{}, NO_CACHE])
async def test_exits_that_nobody_has_read_go_on(bench: Any, overrides: dict[str, Any]) -> None:
    bench.workflow(
        """
    local n = ...
    if n == 2 then return nil, errors.new{message = "no", kind = "CONFLICT", details = {n = n}} end
    return {n = n}
    """,
        name="child",
    )
    bench.workflow(
        """
    local seen = ... or {}
    local events = process.events()
    if #seen == 0 then
        for n = 1, 3 do assert(process.spawn("app:child", "app:worker", n)) end
        process.listen("all ended"):receive()
    end
    local event = events:receive()
    local err = event.result.error
    assert(event.kind == process.event.EXIT and event.from and event.at > 0)
    seen[#seen + 1] = err and {err:kind(), err:message(), err:details().n} or event.result.value.n
    if #seen == 3 then return seen end
    workflow.continue_as_new(seen)
    """,
        modules="workflow",
    )
    app = bench.load()
    async with bench.serving(app, **overrides) as serving:
        handle = await bench.start(serving)
        await bench.event(handle, "child_workflow_execution_completed", 2)
        await bench.event(handle, "child_workflow_execution_failed")
        await handle.signal("all ended")
        seen = (await bench.outcome(handle)).result
    assert sorted(seen, key=str) == [1, 3, ["CONFLICT", "no", 2]]
    assert await replay_chain(bench, handle) == 3


@pytest.mark.parametrize("policy", ["abandon", "terminate"])
async def test_children_belong_to_the_run_that_started_them(bench: Any, policy: str) -> None:
    bench.workflow("return process.listen('go'):receive()", name="child")
    bench.workflow(
        f"""
    local name, pid = ...
    if not pid then
        local spawner = process.with_options({{["workflow.parent_close_policy"] = "{policy}"}}):with_name(name)
        workflow.continue_as_new(name, assert(spawner:spawn("app:child", "app:worker")))
    end
    if "{policy}" == "abandon" then assert(process.send(pid, "go", "went")) end
    return "second run"
    """,
        modules="workflow",
    )
    app, name = bench.load(), f"child-{uuid.uuid4().hex}"
    async with bench.serving(app) as serving:
        outcome = await bench.outcome(await bench.start(serving, name))
        handle = serving.clients["app:temporal"].get_workflow_handle(name)
        child = await bench.outcome(handle)
        status = (await handle.describe()).status
    assert outcome.result == "second run"
    if policy == "abandon":
        assert child.result == "went"
    else:
        assert status == WorkflowExecutionStatus.TERMINATED


def test_an_update_is_not_handed_over(bench: Any) -> None:
    run = bare(bench, "process.listen('go'):receive() workflow.continue_as_new()")
    run.start()
    update = WorkflowActivationJob()
    update.do_update.id = update.do_update.protocol_instance_id = "u-1"
    update.do_update.name = "set"
    commands = run.activate(update, signal("kept"), signal("go"))
    new = commands[-1].continue_as_new_workflow_execution
    assert decoded(new.headers["lua-fleet-unread"]) == [{"topic": "kept", "n": 0}]


def test_a_script_that_fills_its_own_channel_can_go_on(bench: Any) -> None:
    run = bare(bench, "process.listen('a'):send(1) process.listen('go'):receive() workflow.continue_as_new()")
    run.start()
    (command,) = run.activate(signal("a"), signal("go"))
    new = command.continue_as_new_workflow_execution
    assert decoded(new.headers["lua-fleet-unread"]) == [{"topic": "a", "n": 0}]
