"""Updates as messages from {update|id}, answered with ack, ok, nak and error (decision 30)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from bare_run import BareRun, TaskFailed, decoded, encoded, result, variants
from scenario import Play, Stage
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from workflow_bench import NO_CACHE

from fleet.replay.session import ReplaySession

CACHES = pytest.mark.parametrize("overrides", [{}, NO_CACHE], ids=["cached", "evicted"])
UNKNOWN = Payload(metadata={"encoding": b"binary/unknown"}, data=b"?")

COUNTER = """
local counter, done = 0, false

local function take(topic, step)
    coroutine.spawn(function()
        local ch = process.listen(topic, {message = true})
        while true do
            local msg = ch:receive()
            local data = msg:payload():data()
            if type(data) ~= "table" or type(data.amount) ~= "number" then
                process.send(msg:from(), "nak", "amount must be a number")
            else
                process.send(msg:from(), "ack")
                if data.slow then time.sleep("1ms") end
                counter = counter + step * data.amount
                process.send(msg:from(), "ok", {value = counter})
            end
        end
    end)
end

local function main(input)
    counter = input.initial or 0
    take("increment", 1)
    take("decrement", -1)
    local msg = process.listen("finish", {message = true}):receive()
    process.send(msg:from(), "ok", {message = "finishing"})
    return {final_counter = counter}
end

return { main = main }
"""


def update(name: str, *payloads: Payload, id: str = "u-1", validator: bool = True) -> WorkflowActivationJob:
    """An update as core delivers it."""
    job = WorkflowActivationJob()
    job.do_update.id = id
    job.do_update.protocol_instance_id = f"p-{id}"
    job.do_update.name = name
    job.do_update.input.extend(payloads)
    job.do_update.run_validator = validator
    return job


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="time json errors")
    return BareRun(bench.load())


def responses(commands: list[WorkflowCommand]) -> list[Any]:
    """The update responses among commands: "accepted", ("completed", value), ("rejected", failure)."""
    found: list[Any] = []
    for command in commands:
        if command.HasField("update_response"):
            response = command.update_response
            kind = response.WhichOneof("response")
            if kind == "completed":
                found.append((kind, decoded(response.completed)))
            elif kind == "rejected":
                found.append((kind, response.rejected))
            else:
                found.append(kind)
    return found


async def failure_of(handle: WorkflowHandle[Any, Any], name: str, *args: Any) -> ApplicationError:
    with pytest.raises(WorkflowUpdateFailedError) as raised:
        await handle.execute_update(name, args=args)
    assert isinstance(raised.value.cause, ApplicationError), raised.value.cause
    return raised.value.cause


# ---- on a server


@CACHES
async def test_a_counter_answers_updates(bench: Any, overrides: dict[str, Any]) -> None:
    """The document's counter, with updates in place of signals."""
    bench.workflow(COUNTER, modules="time")
    app = bench.load()
    async with bench.serving(app, **overrides) as serving:
        handle = await bench.start(serving, {"initial": 10})
        assert await handle.execute_update("increment", {"amount": 2, "slow": True}) == {"value": 12}
        assert await handle.execute_update("decrement", {"amount": 5}) == {"value": 7}
        refused = await failure_of(handle, "increment", {"amount": "many"})
        assert (refused.message, refused.type) == ("amount must be a number", "INVALID")
        many = [handle.execute_update("increment", {"amount": 1}) for _ in range(5)]
        assert sorted(answer["value"] for answer in await asyncio.gather(*many)) == [8, 9, 10, 11, 12]
        assert await handle.execute_update("finish", args=[]) == {"message": "finishing"}
        outcome = await bench.outcome(handle)
        assert outcome.result == {"final_counter": 12}
        await bench.replay(app, outcome)


@CACHES
async def test_kept_until_read(bench: Any, overrides: dict[str, Any]) -> None:
    """An update that comes before anyone listens is accepted at once and answered later."""
    bench.workflow(
        """
    process.listen("go"):receive()
    local msg = process.inbox():receive()
    process.send(msg:from(), "ok", {topic = msg:topic(), from = msg:from(), n = #msg:payload()})
    """
    )
    app = bench.load()
    async with bench.serving(app, **overrides) as serving:
        handle = await bench.start(serving)
        early = await handle.start_update("set", args=[1, "two"], id="a|b", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        await handle.signal("go")
        assert await early.result() == {"topic": "set", "from": "{update|a%7Cb}", "n": 2}
        outcome = await bench.outcome(handle)
        assert outcome.failure is None
        await bench.replay(app, outcome)


async def test_update_with_start(bench: Any) -> None:
    bench.workflow(
        """
    local msg = process.listen("set", {message = true}):receive()
    process.send(msg:from(), "ok", msg:payload():data())
    return "done"
    """
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        start = WithStartWorkflowOperation(
            "app:wf", id=f"uws-{bench.queue}", task_queue=bench.queue, id_conflict_policy=WorkflowIDConflictPolicy.FAIL
        )
        client = serving.clients["app:temporal"]
        assert await client.execute_update_with_start_workflow("set", 5, start_workflow_operation=start) == 5
        outcome = await bench.outcome(await start.workflow_handle())
        assert outcome.result == "done"
        await bench.replay(app, outcome)


@CACHES
async def test_error_objects_reach_the_client(bench: Any, overrides: dict[str, Any]) -> None:
    bench.workflow(
        """
    local inbox = process.inbox()
    process.send(inbox:receive():from(), "error", errors.new{message = "no stock", kind = "NOT_FOUND",
        retryable = false, details = {sku = "a-1"}})
    process.send(inbox:receive():from(), "error", "broke")
    process.send(inbox:receive():from(), "nak")
    """,
        modules="errors",
    )
    app = bench.load()
    async with bench.serving(app, **overrides) as serving:
        handle = await bench.start(serving)
        error = await failure_of(handle, "take")
        assert (error.message, error.type, error.non_retryable) == ("no stock", "NOT_FOUND", True)
        assert error.details[0]["errors"][0]["details"] == {"sku": "a-1"}
        error = await failure_of(handle, "take")
        assert (error.message, error.type) == ("broke", "INTERNAL")
        error = await failure_of(handle, "take")
        assert (error.message, error.type) == ("update rejected", "INVALID")
        await bench.replay(app, await bench.outcome(handle))


@CACHES
async def test_a_run_that_ends_fails_its_open_updates(bench: Any, overrides: dict[str, Any]) -> None:
    bench.workflow(
        """
    local msg = process.listen("set", {message = true}):receive()
    process.send(msg:from(), "ack")
    process.listen("go"):receive()
    return "ended"
    """
    )
    app = bench.load()
    async with bench.serving(app, **overrides) as serving:
        handle = await bench.start(serving)
        open_update = await handle.start_update("set", 1, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        await handle.signal("go")
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await open_update.result()
        assert isinstance(raised.value.cause, ApplicationError)
        assert raised.value.cause.type == "AcceptedUpdateCompletedWorkflow"
        outcome = await bench.outcome(handle)
        assert outcome.result == "ended"
        await bench.replay(app, outcome)


async def test_continue_as_new_fails_open_updates(bench: Any) -> None:
    """They belong to the run that took them; the next one gets the messages of others only."""
    bench.workflow(
        """
    local second = ...
    if not second then
        process.listen("go"):receive()
        workflow.continue_as_new(true)
    end
    local topics, inbox = {}, process.inbox()
    while topics[#topics] ~= "finish" do topics[#topics + 1] = inbox:receive():topic() end
    return topics
    """,
        modules="workflow",
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving)
        open_update = await handle.start_update("set", 1, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        await handle.signal("note", 1)
        await handle.signal("go")
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await open_update.result()
        assert isinstance(raised.value.cause, ApplicationError)
        assert raised.value.cause.type == "AcceptedUpdateCompletedWorkflow"
        await handle.signal("finish")
        assert await handle.result() == ["note", "finish"]


async def test_unreadable_arguments_are_rejected(bench: Any) -> None:
    """What the code cannot see leaves no trace in history."""
    bench.workflow('process.listen("go"):receive()')
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving)
        error = await failure_of(handle, "set", RawValue(UNKNOWN))
        assert error.message.startswith('argument 1 of update "set" cannot be read')
        await handle.signal("go")
        outcome = await bench.outcome(handle)
        assert not outcome.attributes("workflow_execution_update_accepted")
        await bench.replay(app, outcome)


# ---- without a server


def test_the_activation_that_delivers_accepts(bench: Any) -> None:
    run = bare(
        bench,
        """
    local msg = process.listen("set", {message = true}):receive()
    process.send(msg:from(), "ok", msg:payload():data() + 1)
    time.sleep("1h")
    """,
    )
    assert responses(run.start(jobs=(update("set", encoded(1)),))) == ["accepted", ("completed", 2)]


def test_an_update_kept_for_nobody_is_accepted(bench: Any) -> None:
    run = bare(bench, 'time.sleep("1h")')
    run.start()
    assert responses(run.activate(update("set", encoded(1)))) == ["accepted"]


def test_unreadable_arguments(bench: Any) -> None:
    run = bare(bench, 'process.inbox():receive() return "read"')
    run.start()
    ((kind, failure),) = responses(run.activate(update("set", encoded(1), UNKNOWN)))
    assert kind == "rejected"
    assert failure.message == (
        'argument 2 of update "set" cannot be read: the encoding is not supported (encoding binary/unknown);'
        " send it as json/plain"
    )
    assert failure.application_failure_info.type == "INVALID"


def test_unreadable_arguments_of_an_update_that_history_accepted(bench: Any) -> None:
    """The task fails, so that nothing is lost."""
    run = bare(bench, 'process.inbox():receive() return "read"')
    run.start()
    with pytest.raises(TaskFailed, match='argument 1 of update "set" cannot be read'):
        run.activate(update("set", UNKNOWN, validator=False), replaying=True)


@pytest.mark.parametrize(
    ("sends", "said"),
    [
        ('send("ok", 1) send("ok", 2)', 'update "u-1" was answered already, with ok'),
        ('send("error", "x") send("ack")', 'update "u-1" was answered already, with error'),
        ('send("nak") send("ok")', 'update "u-1" was answered already, with nak'),
        ('send("ack") send("ack")', 'update "u-1" is acknowledged already'),
        ('send("ack") send("nak")', 'update "u-1" is acknowledged: answer it with ok or error, not nak'),
        ('send("ok", 1, 2)', 'update "u-1" is completed with one value, got 2: put them into a table'),
        ('send("ok", print)', 'value 1 of message "ok" cannot be sent: cannot encode a function'),
        ('send("error", {1})', "error takes a text or an error, got table"),
        ('send("nak", 5)', "nak takes a text or an error, got number"),
        ('send("done", 1)', 'an update is answered with ack, ok, nak or error, not with "done"'),
        ('last = {process.send("{update|other}", "ok")}', 'this run has had no update "other"'),
    ],
)
def test_wrong_answers(bench: Any, sends: str, said: str) -> None:
    run = bare(
        bench,
        f"""
    local from, last = process.inbox():receive():from(), nil
    local function send(...) last = {{process.send(from, ...)}} end
    {sends}
    return {{first = tostring(last[1]), message = last[2]:message(), kind = last[2]:kind(), retry = last[2]:retryable()}}
    """,
    )
    told = result(run.start(jobs=(update("set", encoded(1)),)))
    kind = "NOT_FOUND" if "other" in said else "INVALID"
    assert told == {"first": "nil", "message": said, "kind": kind, "retry": False}


def test_an_answer_that_was_refused_can_be_given_again(bench: Any) -> None:
    run = bare(
        bench,
        """
    local from = process.inbox():receive():from()
    assert(not process.send(from, "ok", print))
    assert(process.send(from, "ok"))
    return "done"
    """,
    )
    commands = run.start(jobs=(update("set", encoded(1)),))
    assert responses(commands) == ["accepted", ("completed", None)]
    assert variants(commands)[-1] == "complete_workflow_execution"


def test_two_updates_are_told_apart(bench: Any) -> None:
    run = bare(
        bench,
        """
    local inbox = process.inbox()
    local first, second = inbox:receive(), inbox:receive()
    process.send(second:from(), "ok", "second")
    process.send(first:from(), "ok", "first")
    time.sleep("1h")
    """,
    )
    commands = run.start(jobs=(update("set", id="a"), update("set", id="b")))
    told = [(c.update_response.protocol_instance_id, c.update_response.WhichOneof("response")) for c in commands[:4]]
    assert told == [("p-a", "accepted"), ("p-b", "accepted"), ("p-b", "completed"), ("p-a", "completed")]


async def test_no_update_is_lost_or_doubled_when_workers_die(server_address: str, tmp_path: Path) -> None:
    stage = Stage(server_address, tmp_path)
    stage.workflow(COUNTER, modules="time")

    async def scene(play: Play) -> Any:
        handle = await play.start({"initial": 0})
        answers = [await handle.execute_update("increment", {"amount": 1}) for _ in range(3)]
        assert "coroutine 3 waits in channel:receive" in await handle.query("__stack_trace")
        together = [handle.execute_update("increment", {"amount": 10}) for _ in range(3)]
        answers += sorted(await asyncio.gather(*together), key=lambda answer: answer["value"])
        await handle.signal("increment", {"amount": 100})
        answers.append(await handle.execute_update("finish"))
        return answers, (await play.ended(handle.id)).result

    answers, result = await stage.play(scene)
    assert [answer["value"] for answer in answers[:6]] == [1, 2, 3, 13, 23, 33]
    assert result == {"final_counter": 133}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('process.send(msg:from(), "ok", 1)', "", "the code starts timer 1 at wf.lua:5, where history has event "),
        ('time.sleep("1ms")', "", "the code completes the workflow (after wf.lua:4), where history has event "),
        (
            "local ch",
            'time.sleep("1ms") local ch',
            "the code starts timer 1 at wf.lua:2, where history has event 6, WorkflowExecutionUpdateCompleted",
        ),
    ],
)
async def test_fleet_replay_names_the_line(bench: Any, old: str, new: str, sentence: str) -> None:
    code = """local ch = process.listen("set", {message = true})
    local msg = ch:receive()
    process.send(msg:from(), "ok", 1)
    time.sleep("1ms")"""
    bench.workflow(code, modules="time")
    async with bench.serving(bench.load()) as serving:
        start = WithStartWorkflowOperation(
            "app:wf", id=f"div-{bench.queue}", task_queue=bench.queue, id_conflict_policy=WorkflowIDConflictPolicy.FAIL
        )
        client = serving.clients["app:temporal"]
        assert await client.execute_update_with_start_workflow("set", start_workflow_operation=start) == 1
        outcome = await bench.outcome(await start.workflow_handle())
    async with ReplaySession.open(bench.deploy(code.replace(old, new))) as session:
        report = await session.replay(outcome.history)
    assert report.divergence is not None, report.message
    assert report.divergence.render().startswith(sentence), report.divergence.render()
