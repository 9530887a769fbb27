"""Signals as messages: kept before anyone listens, in order, raw or as Message objects (workflows.ja.md シグナル)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bare_run import BareRun, encoded, result
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob
from workflow_bench import NO_CACHE

Signals = list[tuple[str, list[Any]]]


def signal(name: str, *payloads: Payload, sender: str | None = None) -> WorkflowActivationJob:
    """A signal as core delivers it."""
    job = WorkflowActivationJob()
    job.signal_workflow.signal_name = name
    job.signal_workflow.input.extend(payloads)
    if sender is not None:
        job.signal_workflow.headers["lua-fleet-from"].CopyFrom(encoded(sender))
    return job


def bare(bench: Any, body: str, **options: Any) -> BareRun:
    bench.workflow(body, modules="time json", **options)
    return BareRun(bench.load())


async def signalled(bench: Any, signals: Signals, *, at_once: bool) -> Any:
    """Both with the sticky cache and without, and replayed: a client's signals, before the first task or one by one."""
    app = bench.load()
    results = []
    for overrides in ({}, NO_CACHE):
        async with bench.serving(app, **overrides) as serving:
            first, *rest = signals
            handle = await bench.start(serving, start_signal=first[0], start_signal_args=first[1])
            for number, (name, args) in enumerate(rest):
                if not at_once:
                    await bench.event(handle, "workflow_task_completed", number + 1)
                await handle.signal(name, args=args)
            outcome = await bench.outcome(handle)
        await bench.replay(app, outcome)
        assert outcome.failure is None, outcome.failure
        results.append(outcome.result)
    assert results[0] == results[1]
    return results[0]


# ---- the document's samples, on a server


@pytest.mark.parametrize("at_once", [True, False])
async def test_inbox_pattern(bench: Any, at_once: bool) -> None:
    bench.workflow(
        """
    local inbox, seen = process.inbox(), {}
    while true do
        local msg = inbox:receive()
        local topic = msg:topic()
        local data = msg:payload():data()
        assert(msg:from() == nil, "another client has no PID")
        seen[#seen + 1] = topic
        if topic == "approve" then
            break
        elseif topic == "cancel" then
            return {status = "cancelled", reason = data.reason, seen = seen}
        end
    end
    return {status = "approved", seen = seen}
    """
    )
    signals: Signals = [("note", [1]), ("note", ["two"]), ("cancel", [{"reason": "too late"}])]
    assert await signalled(bench, signals, at_once=at_once) == {
        "status": "cancelled",
        "reason": "too late",
        "seen": ["note", "note", "cancel"],
    }


@pytest.mark.parametrize("at_once", [True, False])
async def test_topic_based_subscription(bench: Any, at_once: bool) -> None:
    bench.function("return { main = function(job) return job end }", "echo_activity")
    bench.workflow(
        """
    local results = {}
    local job_ch = process.listen("add_job")
    local exit_ch = process.listen("exit")
    while true do
        local result = channel.select{ job_ch:case_receive(), exit_ch:case_receive() }
        if result.channel == exit_ch then
            break
        elseif result.channel == job_ch then
            local job_data = result.value
            local activity_result, err = funcs.call("app:echo_activity", {job_id = job_data.id, data = job_data})
            table.insert(results, {job_id = job_data.id, result = activity_result})
        end
    end
    return {total_jobs = #results, results = results}
    """,
        modules="funcs",
    )
    signals: Signals = [("add_job", [{"id": n}]) for n in range(3)]
    outcome = await signalled(bench, [*signals, ("exit", [])], at_once=at_once)
    assert outcome["total_jobs"] == 3 and [r["job_id"] for r in outcome["results"]] == [0, 1, 2]


async def test_signals_sent_before_a_worker_runs_are_kept_in_order(bench: Any) -> None:
    bench.workflow(
        """
    time.sleep("10ms")
    local got, ch = {}, process.listen("item")
    for i = 1, 20 do got[i] = ch:receive() end
    return got
    """,
        modules="time",
    )
    assert await signalled(bench, [("item", [n]) for n in range(20)], at_once=True) == list(range(20))


async def test_several_handlers_in_coroutines(bench: Any) -> None:
    bench.workflow(
        """
    local counter = 0
    for topic, sign in pairs{increment = 1, decrement = -1} do
        coroutine.spawn(function()
            local ch = process.listen(topic, {message = true})
            while true do
                local msg = ch:receive()
                counter = counter + sign * msg:payload():data().amount
            end
        end)
    end
    process.listen("finish", {message = true}):receive()
    return {final_counter = counter}
    """
    )
    signals: Signals = [("increment", [{"amount": 5}]), ("decrement", [{"amount": 2}]), ("finish", [])]
    assert await signalled(bench, signals, at_once=False) == {"final_counter": 3}


async def test_own_pid_and_id(bench: Any) -> None:
    bench.workflow("return {process.pid(), process.id()}")
    outcome = await bench.run(id="a|b}c%d", same=True)
    assert outcome.result == ["{app:temporal@app:worker|a%7Cb%7Dc%25d}", "app:wf"]


async def test_unreadable_payload_is_kept_out_and_logged(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    bench.workflow("return process.listen('item'):receive()")
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving)
        client = serving.clients["app:temporal"]
        odd = Payload(metadata={"encoding": b"binary/strange"}, data=b"?")
        await send_payload(client, handle.id, "item", odd)
        await handle.signal("item", "readable")
        outcome = await bench.outcome(handle)
    await bench.replay(app, outcome)
    assert outcome.result == "readable"
    (line,) = [r.getMessage() for r in caplog.records if "kept out" in r.getMessage()]
    assert 'signal "item"' in line and "binary/strange" in line


async def send_payload(client: Any, workflow_id: str, name: str, payload: Payload) -> None:
    """A signal with a payload that no converter made."""
    await client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=name,
            input=Payloads(payloads=[payload]),
        )
    )


async def test_an_idle_run_is_woken_by_its_signal(bench: Any) -> None:
    bench.workflow("return process.listen('go'):receive()")
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving)
        await bench.event(handle, "workflow_task_completed")
        await asyncio.gather(handle.signal("go", args=["now", 2]), bench.event(handle, "workflow_execution_signaled"))
        outcome = await bench.outcome(handle)
    await bench.replay(app, outcome)
    assert outcome.result == ["now", 2]


# ---- the rules


def test_raw_values(bench: Any) -> None:
    run = bare(
        bench,
        """
    local ch = process.listen("t")
    local none, ok = ch:receive()
    return {none == nil and ok, (ch:receive()), (ch:receive())}
    """,
    )
    null = Payload(metadata={"encoding": b"binary/null"})
    jobs = (signal("t"), signal("t", encoded("one")), signal("t", encoded(1), null, encoded(3)))
    assert result(run.start(jobs=jobs)) == [True, "one", [1, None, 3]]


def test_message_objects(bench: Any) -> None:
    run = bare(
        bench,
        """
    local ch = process.listen("t", {message = true})
    local bare, one, two = ch:receive(), ch:receive(), ch:receive()
    local list = two:payload()
    return {bare:payload() == nil, bare:from() == nil, one:payload():data(), one:from(), one:payload() == one:payload(),
        list[1]:data() + list[2]:data(), two:topic(), tostring(two)}
    """,
    )
    jobs = (signal("t"), signal("t", encoded("one"), sender="{a@b|c}"), signal("t", encoded(1), encoded(2)))
    assert result(run.start(jobs=jobs)) == [True, True, "one", "{a@b|c}", True, 3, "t", "message{topic=t}"]


def test_routing_listener_then_inbox_then_kept(bench: Any) -> None:
    run = bare(
        bench,
        """
    local a = process.listen("a")
    assert(process.listen("a") == a and process.inbox() == process.inbox())
    local inbox, got = process.inbox(), {}
    for i = 1, 2 do got[i] = inbox:receive():topic() end
    got[3] = a:receive()
    assert(process.unlisten(a))
    local _, open = a:receive()
    got[4] = open
    got[5] = inbox:receive():topic()
    assert(process.listen("a") ~= a)
    return got
    """,
    )
    run.start(jobs=(signal("b"), signal("a", encoded(1)), signal("c")))
    assert result(run.activate(signal("a", encoded(2)))) == ["b", "c", 1, False, "a"]


def test_after_unlisten_messages_are_kept_for_the_next_listener(bench: Any) -> None:
    run = bare(
        bench,
        """
    process.unlisten(process.listen("a"))
    time.sleep("1s")
    return process.listen("a"):receive()
    """,
    )
    run.start()
    run.activate(signal("a", encoded("kept")))
    assert result(run.fire(1)) == "kept"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("process.listen('')", "topic cannot be empty"),
        ("process.listen('@x')", 'cannot listen to @ topics: "@x" is reserved'),
        (
            "process.listen('lua-fleet.messages')",
            'cannot listen to lua-fleet. topics: "lua-fleet.messages" is reserved',
        ),
        ("process.listen('\\xff')", 'the topic "\\xff" is not UTF-8'),
        ("process.listen('t', {messages = true})", "unknown option messages: listen knows message"),
        ("process.unlisten(channel.new())", "not a channel of process.listen, or not listening any more"),
        ("process.unlisten(nil)", "not a channel of process.listen, or not listening any more"),
    ],
)
def test_wrong_values_are_invalid(bench: Any, call: str, message: str) -> None:
    run = bare(bench, f"local ok, err = {call} return {{not ok, err:kind(), err:message(), err:retryable()}}")
    assert result(run.start()) == [True, "INVALID", message, False]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("process.listen()", "bad argument #1 to 'listen' (string expected, got nil)"),
        ("process.listen('t', true)", "bad argument #2 to 'listen' (table expected, got boolean)"),
        ("process.listen('t', {message = 1})", "(field 'message' must be a boolean, got number)"),
    ],
)
def test_wrong_types_raise_at_the_callers_line(bench: Any, call: str, message: str) -> None:
    run = bare(bench, f"local ok, err = pcall(function() local x = {call} return x end) return tostring(err)")
    text = result(run.start())
    assert message in text and text.startswith("wf.lua:2:")


def test_listening_twice_in_two_ways_is_refused(bench: Any) -> None:
    run = bare(bench, "process.listen('t') local ch, err = process.listen('t', {message = true}) return err:message()")
    assert result(run.start()) == 'already listening to "t" with message = false: unlisten that channel first'


def test_broken_json_does_not_stop_what_follows(bench: Any) -> None:
    run = bare(bench, "return process.listen('t'):receive()")
    broken = Payload(metadata={"encoding": b"json/plain"}, data=b"{")
    assert result(run.start(jobs=(signal("t", broken), signal("t", encoded("good"))))) == "good"
