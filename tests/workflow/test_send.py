"""process.send between workflows (workflows.ja.md ワークフロー間シグナリング, workflows.md 5 and 6, decision 25)."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from bare_run import BareRun, decoded, result, variants
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob
from workflow_bench import NO_CACHE

TARGET = "{app:temporal@app:worker|other}"


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="time")
    return BareRun(bench.load())


def resolved(seq: int, cause: int | None = None) -> WorkflowActivationJob:
    """The server has taken a signal, or refused it."""
    job = WorkflowActivationJob()
    job.resolve_signal_external_workflow.seq = seq
    if cause is not None:
        job.resolve_signal_external_workflow.failure.message = "unable to signal external workflow"
        job.resolve_signal_external_workflow.cause = cause  # type: ignore[assignment]
    return job


# ---- on a server


PING = """
    local target_pid = input.target
    local ok, err = process.send(target_pid, "cross_host_ping", {data = "hello"})
    if err then
        return {ok = false, error = tostring(err), kind = err:kind(), retryable = err:retryable()}
    end
    local response_ch = process.listen("cross_host_pong")
    local response = response_ch:receive()
    return {ok = true, received = response, pid = process.pid()}
"""

PONG = """
    local ch = process.listen("cross_host_ping", {message = true})
    local msg = ch:receive()
    local ok, err = process.send(msg:from(), "cross_host_pong", {echo = msg:payload():data().data, from = msg:from()})
    return {ok, tostring(err), process.pid()}
"""


def input_main(body: str) -> str:
    return f"local function main(input)\n{body}\nend\nreturn {{ main = main }}\n"


@pytest.mark.parametrize("overrides", [{}, NO_CACHE], ids=["cached", "no cache"])
async def test_request_and_reply_between_workflows(bench: Any, overrides: dict[str, Any]) -> None:
    bench.workflow(input_main(PING), name="ping")
    bench.workflow(PONG, name="pong")
    app = bench.load()
    odd = f"order|{uuid.uuid4().hex}%}}"
    pong_pid = "{app:temporal@app:worker|" + odd.replace("%", "%25").replace("|", "%7C").replace("}", "%7D") + "}"
    async with bench.serving(app, **overrides) as serving:
        pong = await bench.start(serving, name="pong", id=odd)
        ping = await bench.start(serving, {"target": pong_pid}, name="ping")
        outcomes = [await bench.outcome(handle) for handle in (ping, pong)]
    for outcome in outcomes:
        await bench.replay(app, outcome)
    ping_pid = "{app:temporal@app:worker|" + ping.id + "}"
    assert outcomes[0].result == {"ok": True, "received": {"echo": "hello", "from": ping_pid}, "pid": ping_pid}
    assert outcomes[1].result == [True, "nil", pong_pid]


@pytest.mark.parametrize("target", ["{app:temporal@app:worker|never-started}", "no pid at all", "{app:other@x|y}"])
async def test_what_cannot_be_reached_is_not_found(bench: Any, target: str) -> None:
    bench.workflow(input_main(PING))
    outcome = await bench.run({"target": target})
    assert outcome.result["ok"] is False and outcome.result["kind"] == "NOT_FOUND"
    assert outcome.result["retryable"] is False and "workflow" in outcome.result["error"]


async def test_a_finished_workflow_is_not_found(bench: Any) -> None:
    bench.workflow(input_main(PING))
    bench.workflow("return 1", name="short")
    app = bench.load()
    async with bench.serving(app) as serving:
        short = await bench.start(serving, name="short")
        await short.result()
        outcome = await bench.outcome(
            await bench.start(serving, {"target": "{app:temporal@app:worker|" + short.id + "}"})
        )
    await bench.replay(app, outcome)
    assert outcome.result["kind"] == "NOT_FOUND" and "has ended or was never started" in outcome.result["error"]


async def test_own_messages_stay_in_memory(bench: Any) -> None:
    bench.workflow(
        """
    local value = {n = 1}
    local sent = process.send(process.pid(), "note", value)
    value.n = 2
    local msg = process.inbox():receive()
    return {sent, msg:payload():data().n, msg:from() == process.pid()}
    """
    )
    outcome = await bench.run()
    assert outcome.result == [True, 1, True]
    assert not outcome.attributes("signal_external_workflow_execution_initiated")


async def test_messages_of_one_sender_arrive_in_order(bench: Any) -> None:
    bench.workflow(
        input_main("for i = 1, 10 do assert(process.send(input, 'n', i)) end return 'sent'"),
        name="sender",
    )
    bench.workflow("local ch, got = process.listen('n'), {} for i = 1, 10 do got[i] = ch:receive() end return got")
    app = bench.load()
    async with bench.serving(app) as serving:
        receiver = await bench.start(serving)
        pid = "{app:temporal@app:worker|" + receiver.id + "}"
        sender = await bench.start(serving, pid, name="sender")
        outcomes = await asyncio.gather(bench.outcome(receiver), bench.outcome(sender))
    for outcome in outcomes:
        await bench.replay(app, outcome)
    assert outcomes[0].result == list(range(1, 11))


async def test_cancelled_before_the_first_task(bench: Any) -> None:
    bench.workflow(
        f"local ok, err = process.send('{TARGET}', 't') time.sleep('10ms') return err:kind()", modules="time"
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        client = serving.clients["app:temporal"]
    handle = await client.start_workflow("app:wf", id=f"wf-{uuid.uuid4().hex}", task_queue=bench.queue)
    await handle.cancel()
    async with bench.serving(app) as serving:
        outcome = await bench.outcome(handle)
    await bench.replay(app, outcome)
    assert outcome.result == "CANCELED"
    assert not outcome.attributes("signal_external_workflow_execution_initiated")


# ---- the command, and the rules


def test_the_command(bench: Any) -> None:
    run = bare(bench, f"return process.send('{TARGET}', 'topic', 1, nil, 'x')")
    (command,) = run.start()
    signal = command.signal_external_workflow_execution
    assert (signal.signal_name, signal.workflow_execution.workflow_id) == ("topic", "other")
    assert signal.workflow_execution.namespace == "default" and not signal.workflow_execution.run_id
    assert [decoded(p) for p in signal.args] == [1, None, "x"]
    assert decoded(signal.headers["lua-fleet-from"]) == "{app:temporal@app:worker|wf-1}"
    assert result(run.activate(resolved(signal.seq))) is True


def test_no_value_is_one_null(bench: Any) -> None:
    (command,) = bare(bench, f"return process.send('{TARGET}', 'ack')").start()
    (payload,) = command.signal_external_workflow_execution.args
    assert payload.metadata["encoding"] == b"binary/null"


def test_too_many_signals(bench: Any) -> None:
    run = bare(bench, f"local ok, err = process.send('{TARGET}', 't') return {{err:kind(), err:message()}}")
    run.start()
    kind, message = result(run.activate(resolved(1, 3)))
    assert kind == "RATE_LIMITED" and TARGET in message


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ("nil, 't'", "INVALID", "the destination is nil"),
        ("'x'", "INVALID", "send requires at least destination and topic"),
        (f"'{TARGET}', ''", "INVALID", "topic cannot be empty"),
        (f"'{TARGET}', '@x'", "INVALID", "cannot send to @ topics"),
        (f"'{TARGET}', 'lua-fleet.messages'", "INVALID", "cannot send to lua-fleet. topics"),
        (f"'{TARGET}', 'x\\xff'", "INVALID", "not UTF-8"),
        (f"'{TARGET}', 't', 1, {{ f = print }}", "INVALID", 'value 2 of message "t" cannot be sent'),
        ("'{app:temporal@app:worker|100%}', 't'", "NOT_FOUND", "could not resolve"),
        ("'{app:temporal@app:worker|}', 't'", "NOT_FOUND", "could not resolve"),
        ("'{update|u1}', 'ok'", "NOT_FOUND", 'this run has had no update "u1"'),
    ],
)
def test_wrong_values(bench: Any, arguments: str, kind: str, message: str) -> None:
    run = bare(bench, f"local ok, err = process.send({arguments}) return {{ok == nil, err:kind(), err:message()}}")
    failed, got, text = result(run.start())
    assert failed and got == kind and message in text


@pytest.mark.parametrize("arguments", ["1, 't'", "'x', 1"])
def test_wrong_types_raise(bench: Any, arguments: str) -> None:
    run = bare(bench, f"local _, err = pcall(function() local x = process.send({arguments}) end) return tostring(err)")
    text = result(run.start())
    assert text.startswith("wf.lua:2:") and "to 'send' (string expected, got number)" in text


def cancel() -> WorkflowActivationJob:
    job = WorkflowActivationJob()
    job.cancel_workflow.reason = "enough"
    return job


def test_cancelled_while_waiting(bench: Any) -> None:
    run = bare(
        bench, f"local ok, err = process.send('{TARGET}', 't') time.sleep('1s') return {{ok == nil, err:kind()}}"
    )
    run.start()
    # The server has the signal: nothing calls it off.
    assert variants(run.activate(cancel())) == ["start_timer"]
    run.activate(resolved(1))
    assert result(run.fire(2)) == [True, "CANCELED"]


def test_cancelled_before_the_server_has_it(bench: Any) -> None:
    run = bare(bench, f"local ok, err = process.send('{TARGET}', 't') return {{ok == nil, err:kind()}}")
    commands = run.start(jobs=(cancel(),))
    assert variants(commands)[:2] == ["signal_external_workflow_execution", "cancel_signal_workflow"]
    assert result(commands) == [True, "CANCELED"]


def test_pids_of_this_worker_need_no_node(bench: Any) -> None:
    (command,) = bare(bench, "return process.send('{app:worker|other}', 't')").start()
    assert command.signal_external_workflow_execution.workflow_execution.workflow_id == "other"


def test_own_nils_and_several_values(bench: Any) -> None:
    run = bare(
        bench,
        """
    local ch = process.listen("t")
    process.send(process.pid(), "t")
    process.send(process.pid(), "t", 1, nil, 3)
    return {(ch:receive()) == nil, (ch:receive())}
    """,
    )
    assert result(run.start()) == [True, [1, None, 3]]
