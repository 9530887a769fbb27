"""Starting workflows from outside (workflows.ja.md ワークフローの起動; decisions 20 to 24)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from outside import COLLECT, SENDER, Outside
from temporalio import workflow as python_workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from fleet.activity import payloads
from fleet.modules import RequestFailed
from fleet.process.workflow_options import policies
from fleet.process.workflow_start import Start

SECOND = 1_000_000_000
FAIL, USE, TERMINATE = 1, 2, 3
THREE = [("increment", [{"amount": 2}]), ("increment", [{"amount": 1}]), ("note", [1, 2])]
ARRIVED = [["increment", {"amount": 2}, SENDER], ["increment", {"amount": 1}, SENDER]]


def fresh(name: str = "id") -> str:
    return f"{name}-{uuid.uuid4().hex[:10]}"


async def failing(awaitable: Any) -> Any:
    with pytest.raises(RequestFailed) as caught:
        await awaitable
    return caught.value.error


async def test_generated_id_and_result(bench: Any) -> None:
    bench.workflow("local a, b = ... return {a, b}")
    app = bench.load()
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        started = await outside.start({"n": 1}, "two")
        assert started.node == "app:temporal"
        assert started.workflow_id.startswith("app:wf-")
        assert await outside.result(started) == [{"n": 1}, "two"]


async def test_the_id_is_the_option_else_the_name(bench: Any) -> None:
    bench.workflow("return 1")
    app = bench.load()
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        name, id = fresh("name"), fresh("option")
        assert (await outside.start(name=name)).workflow_id == name
        assert (await outside.start(name=name, id=id)).workflow_id == id


async def test_a_custom_type_name_is_started_by_entry_id(bench: Any) -> None:
    bench.workflow("return workflow.info().workflow_type", modules="workflow", workflow={"name": "Custom"})
    app = bench.load()
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        assert await outside.result(await outside.start()) == "Custom"


async def test_conflict_with_an_open_run(bench: Any) -> None:
    bench.workflow(COLLECT)
    app = bench.load()
    async with bench.serving(app):
        outside, name = Outside(app, bench.address), fresh()
        first = await outside.start("first", name=name)
        assert await outside.start("second", name=name) == first
        assert await outside.start("second", name=name, id_conflict_policy=USE) == first
        for options in (
            {"id_conflict_policy": FAIL},
            {"execution_error_when_already_started": True},
            {"execution_error_when_already_started": True, "id_conflict_policy": USE},
        ):
            error = await failing(outside.start(name=name, **options))
            assert error.kind == "ALREADY_EXISTS"
            assert error.retryable is False
            assert name in error.message
        for messages in ([("a", [1])], THREE):
            error = await failing(outside.start(name=name, id_conflict_policy=FAIL, messages=messages))
            assert error.kind == "ALREADY_EXISTS"
        second = await outside.start("second", name=name, id_conflict_policy=TERMINATE)
        assert second.workflow_id == first.workflow_id
        assert second.run_id != first.run_id
        assert (await outside.error(first)).message == "workflow terminated"
        await outside.send(second, "finish")
        assert await outside.result(second) == {"input": "second", "got": []}


async def test_reuse_of_a_closed_id(bench: Any) -> None:
    bench.workflow("local fail = ... if fail then return nil, 'no' end return 1")
    app = bench.load()
    async with bench.serving(app):
        outside, name = Outside(app, bench.address), fresh()
        first = await outside.start(name=name)
        await outside.result(first)
        again = await outside.start(name=name)
        assert again.run_id != first.run_id
        await outside.result(again)
        for reuse in (2, 3):
            assert (await failing(outside.start(name=name, id_reuse_policy=reuse))).kind == "ALREADY_EXISTS"
            refused = outside.start(name=name, id_reuse_policy=reuse, messages=THREE)
            assert (await failing(refused)).kind == "ALREADY_EXISTS"
        failed = await outside.start(True, name=name)
        await outside.error(failed)
        assert (await outside.start(name=name, id_reuse_policy=2)).run_id != failed.run_id


@pytest.mark.parametrize(
    ("options", "named", "conflict"),
    [
        ({}, True, "USE_EXISTING"),
        ({}, False, "USE_EXISTING"),
        ({"execution_error_when_already_started": True}, False, "USE_EXISTING"),
        ({"execution_error_when_already_started": True}, True, "FAIL"),
        ({"execution_error_when_already_started": False}, False, "USE_EXISTING"),
        ({"execution_error_when_already_started": False, "id_conflict_policy": FAIL}, True, "FAIL"),
        ({"id_conflict_policy": TERMINATE}, False, "TERMINATE_EXISTING"),
        ({"id_conflict_policy": TERMINATE, "execution_error_when_already_started": True}, True, "TERMINATE_EXISTING"),
        ({"id_reuse_policy": 4}, True, "TERMINATE_EXISTING"),
    ],
)
def test_default_policies(options: dict[str, Any], named: bool, conflict: str) -> None:
    found = policies(options, named=named)
    assert found.conflict == WorkflowIDConflictPolicy[conflict]
    assert found.reuse == WorkflowIDReusePolicy.ALLOW_DUPLICATE


def test_terminate_if_running_beside_a_conflict_policy_is_invalid() -> None:
    with pytest.raises(RequestFailed, match="exclude each other"):
        policies({"id_reuse_policy": 4, "id_conflict_policy": USE}, named=True)


@pytest.mark.parametrize("policy", [USE, TERMINATE, FAIL])
@pytest.mark.parametrize("messages", [THREE[:1], THREE[:2]])
async def test_startup_messages_of_a_new_run(bench: Any, policy: int, messages: Any) -> None:
    bench.workflow(COLLECT)
    app = bench.load()
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        started = await outside.start("in", name=fresh(), messages=messages, id_conflict_policy=policy)
        await outside.send(started, "later", 1)
        await outside.send(started, "finish")
        result = await outside.result(started)
        assert result == {"input": "in", "got": [*ARRIVED[: len(messages)], ["later", 1, SENDER]]}


@pytest.mark.parametrize("messages", [THREE[:1], THREE[:2]])
async def test_startup_messages_of_an_existing_run(bench: Any, messages: Any) -> None:
    bench.workflow(COLLECT)
    app = bench.load()
    async with bench.serving(app):
        outside, name = Outside(app, bench.address), fresh()
        first = await outside.start("first", name=name)
        second = await outside.start("second", name=name, messages=messages)
        assert second == first
        await outside.send(first, "finish")
        assert await outside.result(first) == {"input": "first", "got": ARRIVED[: len(messages)]}


async def test_startup_messages_replace_a_run_with_terminate_existing(bench: Any) -> None:
    bench.workflow(COLLECT)
    app = bench.load()
    async with bench.serving(app):
        outside, name = Outside(app, bench.address), fresh()
        first = await outside.start("first", name=name)
        second = await outside.start("second", name=name, messages=THREE[:2], id_conflict_policy=TERMINATE)
        assert second.run_id != first.run_id
        await outside.send(second, "finish")
        assert await outside.result(second) == {"input": "second", "got": ARRIVED}


async def test_every_option_reaches_the_server(bench: Any) -> None:
    bench.workflow("time.sleep('1h')", modules="time")
    client = await bench.client()
    types = {"OutsideKeyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
    types["OutsideInt"] = IndexedValueType.INDEXED_VALUE_TYPE_INT
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace="default", search_attributes=types)
    )
    outside = Outside(bench.load(), bench.address)
    started = await outside.start(
        name=fresh(),
        execution_timeout=3600 * SECOND,
        run_timeout=600 * SECOND,
        task_timeout=5 * SECOND,
        start_delay=300 * SECOND,
        retry_policy={"maximum_attempts": 3, "non_retryable_error_types": {1: "INVALID", "n": 1}},
        memo={"source": payloads.encode("api"), "n": payloads.encode({"deep": [1]})},
        static_summary="short",
        details="long",
        priority={"priority_key": 2, "fairness_key": "a", "fairness_weight": 1.5},
        versioning_override="auto_upgrade",
        search_attributes={"OutsideKeyword": "cust-1", "OutsideInt": 7.0},
        parent_close_policy=1,
        wait_for_cancellation=True,
        versioning_intent=1,
    )
    described = await client.get_workflow_handle(started.workflow_id).describe()
    assert described.status == WorkflowExecutionStatus.RUNNING
    info, config = described.raw_description.workflow_execution_info, described.raw_description.execution_config
    assert config.workflow_execution_timeout.seconds == 3600
    assert config.workflow_run_timeout.seconds == 600
    assert config.default_workflow_task_timeout.seconds == 5
    assert (info.execution_time.ToDatetime() - info.start_time.ToDatetime()).total_seconds() == 300
    assert await described.memo() == {"source": "api", "n": {"deep": [1]}}
    assert await described.static_summary() == "short"
    assert await described.static_details() == "long"
    assert info.priority.priority_key == 2
    assert info.priority.fairness_key == "a"
    assert info.versioning_info.versioning_override.auto_upgrade
    assert described.search_attributes["OutsideInt"] == [7]
    history = await client.get_workflow_handle(started.workflow_id).fetch_history()
    attributes = history.events[0].workflow_execution_started_event_attributes
    assert attributes.retry_policy.maximum_attempts == 3
    assert list(attributes.retry_policy.non_retryable_error_types) == ["INVALID"]
    await outside.workflows.terminate(started.node, started.workflow_id)


async def test_cron_and_task_queue(bench: Any) -> None:
    bench.workflow("return 1")
    app = bench.load()
    outside = Outside(app, bench.address)
    queue = fresh("queue")
    started = await outside.start(name=fresh(), cron_schedule="0 0 1 1 *", task_queue=queue)
    handle = (await bench.client()).get_workflow_handle(started.workflow_id)
    history = await handle.fetch_history()
    attributes = history.events[0].workflow_execution_started_event_attributes
    assert attributes.cron_schedule == "0 0 1 1 *"
    assert attributes.task_queue.name == queue
    await outside.workflows.terminate(started.node, started.workflow_id)


async def test_eager_start(bench: Any) -> None:
    bench.workflow("return 7")
    app = bench.load()
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        started = await outside.start(name=fresh(), enable_eager_start=True)
        assert await outside.result(started) == 7
        started = await outside.start(name=fresh(), enable_eager_start=True, start_delay=SECOND // 100)
        assert await outside.result(started) == 7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cron_schedule": "@daily", "start_delay": SECOND}, "cron_schedule and start_delay exclude each other"),
        ({"cron_schedule": "never"}, "cannot start app:wf"),
        ({"versioning_override": "sideways"}, "versioning_override"),
        ({"versioning_override": {"mode": "pinned"}}, "versioning_override"),
        ({"versioning_override": {"mode": "pinned", "version": {"deployment_name": "d", "build_id": "b"}}}, "d:b"),
        ({"retry_policy": {"initial_interval": SECOND, "maximum_interval": 1}}, "at least the initial_interval"),
        ({"search_attributes": {"Nobody": "x"}}, "Nobody"),
        ({"search_attributes": {"CustomKeywordField": {"a": 1}}}, "CustomKeywordField"),
        ({"search_attributes": {"CustomKeywordListField": ["a", 5]}}, "item 1"),
        ({"id": "x" * 2000}, "exceeds"),
    ],
)
async def test_invalid_options(bench: Any, options: dict[str, Any], words: str) -> None:
    bench.workflow("return 1")
    error = await failing(Outside(bench.load(), bench.address).start(**options))
    assert error.kind == "INVALID"
    assert error.retryable is False
    assert words in error.message


async def test_too_large_an_argument_is_invalid(bench: Any) -> None:
    bench.workflow("return 1")
    outside = Outside(bench.load(), bench.address)
    for size in (3_000_000, 5_000_000):
        error = await failing(outside.start("x" * size))
        assert error.kind == "INVALID", error.message
        assert "larger than the server allows" in error.message


async def test_destinations(bench: Any) -> None:
    bench.workflow("return 1")
    bench.workflow("return 1", name="unbound", workflow={"worker": None})
    bench.function("return { main = function() end }", "fun")
    bench.entries.append({"name": "other", "kind": "temporal.worker", "client": "app:temporal", "task_queue": "q-2"})
    workflows = Outside(bench.load(), bench.address).workflows

    def refused(id: str, host: str) -> Any:
        with pytest.raises(RequestFailed) as caught:
            workflows.destination(id, host)
        return caught.value.error

    assert refused("app:nothing", "app:worker").kind == "NOT_FOUND"
    assert refused("app:unbound", "app:worker").kind == "NOT_FOUND"
    assert refused("app:wf", "app:other").kind == "INVALID"
    assert refused("app:fun", "app:worker").kind == "INVALID"
    assert refused("app:wf", "app:nowhere").kind == "NOT_FOUND"
    assert refused("app:wf", "app:temporal").kind == "NOT_FOUND"
    raw = workflows.destination("Any type", "raw-queue")
    assert (raw.type, raw.client, raw.task_queue) == ("Any type", "app:temporal", "raw-queue")
    assert workflows.destination("T", "other:queue").task_queue == "other:queue"


async def test_a_raw_queue_needs_a_client_to_be_known(bench: Any) -> None:
    bench.entries.append({"name": "second", "kind": "temporal.client", "address": "localhost:7233"})
    bench.workflow("return 1")
    workflows = Outside(bench.load(), bench.address).workflows
    with pytest.raises(RequestFailed, match="app:second, app:temporal") as caught:
        workflows.destination("T", "raw-queue")
    assert caught.value.error.kind == "INVALID"
    assert workflows.destination("T", "raw-queue", "app:second").client == "app:second"


@python_workflow.defn(name="Python")
class PythonWorkflow:
    @python_workflow.run
    async def run(self, word: str) -> str:
        return f"python {word}"


async def test_a_workflow_in_python_is_started_by_type_and_queue(bench: Any) -> None:
    bench.workflow("return 1")
    outside = Outside(bench.load(), bench.address)
    queue = fresh("python")
    where = outside.workflows.destination("Python", queue)
    runner = UnsandboxedWorkflowRunner()
    async with Worker(await bench.client(), task_queue=queue, workflows=[PythonWorkflow], workflow_runner=runner):
        start = Start(where.type, where.task_queue, [payloads.encode("x")])
        assert await outside.result(await outside.workflows.start(where.client, start)) == "python x"


async def test_another_namespace(bench: Any) -> None:
    bench.workflow("return 1")
    outside = Outside(bench.load(), bench.address)
    error = await failing(outside.start(namespace="nowhere"))
    assert error.kind == "NOT_FOUND"
    assert "nowhere" in error.message
    started = await outside.start(namespace="temporal-system", name=fresh())
    assert started.node == "app:temporal/temporal-system"
    await outside.workflows.terminate(started.node, started.workflow_id)
    assert (await outside.error(started)).message == "workflow terminated"
