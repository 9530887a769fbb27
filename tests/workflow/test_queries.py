"""Queries: published values, where coroutines wait, the metadata that tools show (decision 31)."""

from __future__ import annotations

from typing import Any

import pytest
from bare_run import BareRun, decoded
from google.protobuf import json_format
from temporal_cli import CliError, TemporalCli
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import QueryResult
from temporalio.client import WorkflowQueryFailedError
from workflow_bench import NO_CACHE

CACHES = pytest.mark.parametrize("overrides", [{}, NO_CACHE], ids=["cached", "evicted"])


def bare(bench: Any, body: str, **options: Any) -> BareRun:
    bench.workflow(body, modules="time funcs workflow json errors", **options)
    return BareRun(bench.load())


def ask(run: BareRun, name: str) -> QueryResult:
    """A query as core delivers it; its answer, which is all that the activation brings."""
    job = WorkflowActivationJob()
    job.query_workflow.query_id = "q-1"
    job.query_workflow.query_type = name
    (command,) = run.activate(job)
    answer = command.respond_to_query
    assert answer.query_id == "q-1"
    return answer


def answer(run: BareRun, name: str) -> Any:
    return decoded(ask(run, name).succeeded.response)


def metadata(run: BareRun) -> WorkflowMetadata:
    response = ask(run, "__temporal_workflow_metadata").succeeded.response
    assert response.metadata["encoding"] == b"json/protobuf"
    return json_format.Parse(response.data, WorkflowMetadata())


# ---- published values


def test_the_value_is_what_it_was_at_the_call(bench: Any) -> None:
    run = bare(
        bench,
        """
    local workflow = require("workflow")
    local order = {state = "new"}
    assert(workflow.set_query("order", order))
    order.state = "changed, but not published"
    require("time").sleep("1h")
    workflow.set_query("order", order)
    workflow.set_query("nothing", nil)
    require("time").sleep("1h")
    """,
    )
    run.start()
    assert answer(run, "order") == {"state": "new"}
    run.fire(1)
    assert answer(run, "order") == {"state": "changed, but not published"}
    assert answer(run, "nothing") is None


def test_no_lua_runs_when_a_query_comes(bench: Any) -> None:
    run = bare(bench, 'require("workflow").set_query("x", 1) require("time").sleep("1h")')
    run.start()
    steps = run.instance._run.state.instructions
    for _ in range(3):
        assert answer(run, "x") == 1
    assert run.instance._run.state.instructions <= steps


def test_unknown_query_lists_the_known_ones(bench: Any) -> None:
    run = bare(bench, 'require("workflow").set_query("total", 1) require("time").sleep("1h")')
    run.start()
    failure = ask(run, "totl").failed
    assert failure.message == (
        'unknown query "totl": this run answers __stack_trace, __temporal_workflow_metadata, total;'
        " a script publishes others with workflow.set_query(name, value)"
    )
    assert failure.application_failure_info.type == "NOT_FOUND"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('workflow.set_query("", 1)', "query name required"),
        ('workflow.set_query("__x", 1)', 'query name "__x" is reserved: names beginning with __ are Temporal\'s'),
        ('workflow.set_query("\\xff", 1)', "the query name is not UTF-8"),
        (
            'workflow.set_query("x", {a = {print}})',
            'the value of query "x" cannot be sent: cannot encode a function at .a[1]',
        ),
    ],
)
async def test_refused(bench: Any, call: str, said: str) -> None:
    bench.workflow(
        f"""
    local ok, err = {call}
    return {{ok = tostring(ok), kind = err:kind(), message = err:message()}}
    """,
        modules="workflow",
    )
    assert (await bench.run()).result == {"ok": "nil", "kind": "INVALID", "message": said}


async def test_a_name_of_another_type_raises(bench: Any) -> None:
    bench.workflow("return select(2, pcall(workflow.set_query, 1, 2))", modules="workflow")
    assert (await bench.run()).result == "bad argument #1 to 'set_query' (string expected, got number)"


# ---- on a server


@CACHES
async def test_open_and_closed_runs_answer(bench: Any, overrides: dict[str, Any]) -> None:
    bench.workflow(
        """
    workflow.set_query("status", {state = "waiting", seen = 0})
    local done = process.listen("go"):receive()
    workflow.set_query("status", {state = "done", seen = done})
    return "end"
    """,
        modules="workflow",
    )
    app = bench.load()
    async with bench.serving(app, **overrides) as serving:
        handle = await bench.start(serving)
        assert await handle.query("status") == {"state": "waiting", "seen": 0}
        await handle.signal("go", 7)
        assert await handle.result() == "end"
        assert await handle.query("status") == {"state": "done", "seen": 7}
        assert await handle.query("__stack_trace") == "the run has ended: nothing waits"
        with pytest.raises(WorkflowQueryFailedError, match=r'unknown query "stat": this run answers .*status;'):
            await handle.query("stat")
        await bench.replay(app, await bench.outcome(handle))


@CACHES
async def test_a_failed_run_answers(bench: Any, overrides: dict[str, Any]) -> None:
    bench.workflow('workflow.set_query("step", 3) error("no")', modules="workflow")
    async with bench.serving(bench.load(), **overrides) as serving:
        handle = await bench.start(serving)
        await bench.outcome(handle)
        assert await handle.query("step") == 3


async def test_the_command_line_program_reads_them(bench: Any) -> None:
    cli = TemporalCli(bench.address)
    bench.workflow(
        """
    workflow.set_query("status", {state = "waiting"})
    process.listen("go"):receive()
    """,
        modules="workflow",
    )
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving)
        told = await cli.json("workflow", "query", "--workflow-id", handle.id, "--type", "status")
        assert told["queryResult"] == [{"state": "waiting"}]
        stack = await cli.text("workflow", "stack", "--workflow-id", handle.id)
        assert "coroutine 1 waits in channel:receive at wf.lua:4" in stack
        (shown,) = (await cli.json("workflow", "metadata", "--workflow-id", handle.id))["queryResult"]
        assert [query["name"] for query in shown["definition"]["queryDefinitions"]][-1] == "status"
        assert shown["definition"]["signalDefinitions"] == [{"name": "go"}]
        with pytest.raises(CliError, match='unknown query "other"'):
            await cli.text("workflow", "query", "--workflow-id", handle.id, "--type", "other")
        await handle.signal("go")
        await handle.result()


# ---- __stack_trace


def test_where_each_coroutine_waits(bench: Any) -> None:
    run = bare(
        bench,
        """
    local time, funcs = require("time"), require("funcs")
    coroutine.spawn(function() process.listen("x"):receive() end)
    coroutine.spawn(function() coroutine.wrap(function() time.sleep("1h") end)() end)
    coroutine.spawn(function() coroutine.resume(coroutine.create(function() time.sleep("1h") end)) end)
    coroutine.spawn(function() funcs.call("a:b") end)
    coroutine.spawn(function() process.exec("a:b", "q") end)
    coroutine.spawn(function() channel.select{process.inbox():case_receive()} end)
    local function deeper() channel.new(0):send(1) end
    deeper()
    """,
    )
    run.start()
    assert answer(run, "__stack_trace").split("\n") == [
        "coroutine 1 waits in channel:send at wf.lua:10",
        "\twf.lua:10: in local 'deeper'",
        "\twf.lua:11: in upvalue 'main'",
        "coroutine 2 waits in channel:receive at wf.lua:4",
        "\twf.lua:4: in function <wf.lua:4>",
        "coroutine 3 waits in time.sleep at wf.lua:5",
        "\twf.lua:5: in function <wf.lua:5>",
        "\tresumed by:",
        "\twf.lua:5: in function <wf.lua:5>",
        "coroutine 4 waits in time.sleep at wf.lua:6",
        "\twf.lua:6: in function <wf.lua:6>",
        "\tresumed by:",
        "\twf.lua:6: in function <wf.lua:6>",
        "coroutine 5 waits in funcs.call at wf.lua:7",
        "\twf.lua:7: in function <wf.lua:7>",
        "coroutine 6 waits in process.exec at wf.lua:8",
        "\twf.lua:8: in function <wf.lua:8>",
        "coroutine 7 waits in channel.select at wf.lua:9",
        "\twf.lua:9: in function <wf.lua:9>",
    ]


def test_a_trace_changes_nothing(bench: Any) -> None:
    run = bare(
        bench,
        """
    local time = require("time")
    local co = coroutine.wrap(function() time.sleep("1h") coroutine.yield("first") time.sleep("1h") return "second" end)
    local first = co()
    return {first, co()}
    """,
    )
    run.start()
    for seq in (1, 2):
        assert "time.sleep" in answer(run, "__stack_trace")
        commands = run.fire(seq)
    assert decoded(commands[0].complete_workflow_execution.result) == ["first", "second"]


# ---- __temporal_workflow_metadata


def test_metadata_lists_signals_queries_updates(bench: Any) -> None:
    run = bare(
        bench,
        """
    process.listen("b") process.listen("a") process.inbox()
    require("workflow").set_query("total", 1)
    require("time").sleep("1h")
    """,
    )
    run.start()
    told = metadata(run)
    assert told.definition.type == "app:wf"
    assert [query.name for query in told.definition.query_definitions] == [
        "__stack_trace",
        "__temporal_workflow_metadata",
        "total",
    ]
    assert [signal.name for signal in told.definition.signal_definitions] == ["", "a", "b"]
    assert [update.name for update in told.definition.update_definitions] == ["", "a", "b"]
    assert told.current_details == ""


async def test_metadata_lists_unreadable_and_unread_signals(bench: Any) -> None:
    bench.workflow('process.listen("go"):receive()', modules="workflow")
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving)
        client = serving.clients["app:temporal"]
        unknown = Payload(metadata={"encoding": b"binary/unknown"}, data=b"?")
        for _ in range(2):
            await client.workflow_service.signal_workflow_execution(
                SignalWorkflowExecutionRequest(
                    namespace="default",
                    workflow_execution=WorkflowExecution(workflow_id=handle.id),
                    signal_name="broken",
                    input=Payloads(payloads=[unknown]),
                )
            )
        await handle.signal("early", 1)
        told = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        assert told.current_details.split("\n") == [
            '- 1 unread, and nobody listens to the topic: "early"',
            '- 2 kept out, because a payload could not be read: signal "broken"',
        ]
        await handle.signal("go")
        await handle.result()
