"""Watching, messaging and stopping workflows from outside (workflows.ja.md モニタリングとリンク, 終了とキャンセル)."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from outside import COLLECT, NODE, SENDER, Outside
from outside_python import Chain, Fails
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from workflow_bench import Bench

from fleet.activity import payloads
from fleet.modules import RequestFailed
from fleet.process.workflow_errors import refused
from fleet.process.workflow_follow import Following
from fleet.server import EmbeddedServer

SECOND = 1_000_000_000


def fresh(name: str = "id") -> str:
    return f"{name}-{uuid.uuid4().hex[:10]}"


async def failing(awaitable: Any) -> Any:
    with pytest.raises(RequestFailed) as caught:
        await awaitable
    return caught.value.error


@pytest.fixture
def collecting(bench: Any) -> Any:
    bench.workflow(COLLECT)
    return bench


async def test_a_failure_has_kind_and_details(bench: Any) -> None:
    bench.workflow(
        "return nil, errors.new{message = 'sold out', kind = 'NOT_FOUND', retryable = false, details = {item = 7}}"
    )
    app = bench.load()
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        error = await outside.error(await outside.start())
        assert (error.kind, error.message, error.retryable, error.details) == (
            "NOT_FOUND",
            "sold out",
            False,
            {"item": 7},
        )


async def test_terminated_timed_out_and_canceled(bench: Any) -> None:
    bench.workflow("time.sleep('1h')", modules="time")
    app = bench.load()
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        first = await outside.start()
        await outside.workflows.terminate(first.node, first.workflow_id)
        error = await outside.error(first)
        assert (error.kind, error.message, error.retryable) == ("CANCELED", "workflow terminated", False)
        assert error.details == {"reason": "process.terminate"}

        second = await outside.start(execution_timeout=SECOND // 5)
        error = await outside.error(second)
        assert (error.kind, error.retryable) == ("TIMEOUT", False)

        third = await outside.start()
        await outside.workflows.cancel(third.node, third.workflow_id, "enough")
        error = await outside.error(third)
        assert (error.kind, error.retryable) == ("CANCELED", False)


async def test_a_closed_workflow_ends_at_once_and_a_missing_one_with_an_error(bench: Any) -> None:
    bench.workflow("return 5")
    app = bench.load()
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        started = await outside.start(name=fresh())
        assert await outside.result(started) == 5
        ending = await outside.workflows.follow(NODE, started.workflow_id)
        assert payloads.decode(ending.value or b"") == 5
        ending = await outside.workflows.follow(NODE, "no-such-workflow")
        assert ending.error is not None
        assert ending.error.kind == "NOT_FOUND"
        assert ending.abnormal


async def test_stopping_and_messaging_the_missing_and_the_ended(bench: Any) -> None:
    bench.workflow("return 5")
    app = bench.load()
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        started = await outside.start(name=fresh())
        await outside.result(started)
        workflows = outside.workflows
        for id in ("no-such-workflow", started.workflow_id):
            message = workflows.signal(NODE, id, "topic", [payloads.encode(1)], None)
            for attempt in (message, workflows.cancel(NODE, id, ""), workflows.terminate(NODE, id)):
                error = await failing(attempt)
                assert error.kind == "NOT_FOUND"
                assert error.retryable is False
                assert id in error.message
        assert (await failing(workflows.terminate("app:nothing", "x"))).kind == "NOT_FOUND"


async def test_messages_have_their_sender(collecting: Any) -> None:
    app = collecting.load()
    async with collecting.serving(app):
        outside = Outside(app, collecting.address)
        started = await outside.start()
        await outside.send(started, "one", {"a": 1})
        await outside.workflows.signal(NODE, started.workflow_id, "two", [payloads.encode(None)], None)
        await outside.workflows.signal(NODE, started.workflow_id, "finish", [payloads.encode(None)], None)
        assert await outside.result(started) == {"got": [["one", {"a": 1}, SENDER], ["two"]]}


async def test_a_chain_is_followed_to_its_last_run(bench: Any) -> None:
    """Through continue-as-new, and through the attempts of a retry policy."""
    outside = Outside(bench.load(), bench.address)
    queue = fresh("queue")
    runner = UnsandboxedWorkflowRunner()
    client = await bench.client()
    async with Worker(client, task_queue=queue, workflows=[Chain, Fails], workflow_runner=runner):
        chain = await client.start_workflow("Chain", 3, id=fresh(), task_queue=queue)
        ending = await outside.workflows.follow(NODE, chain.id, chain.first_execution_run_id or "")
        assert payloads.decode(ending.value or b"") == "done"

        retry = RetryPolicy(initial_interval=timedelta(milliseconds=10), maximum_attempts=3)
        fails = await client.start_workflow("Fails", id=fresh(), task_queue=queue, retry_policy=retry)
        ending = await outside.workflows.follow(NODE, fails.id, fails.first_execution_run_id or "")
        assert ending.error is not None
        assert ending.error.message == "attempt 3"


async def test_a_reset_run_is_followed_into_its_successor(collecting: Any) -> None:
    app = collecting.load()
    async with collecting.serving(app) as serving:
        outside = Outside(app, collecting.address)
        started = await outside.start()
        client = serving.clients["app:temporal"]
        handle = client.get_workflow_handle(started.workflow_id)
        await collecting.event(handle, "workflow_task_completed")
        watching = asyncio.create_task(outside.result(started))
        await client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=started.workflow_id, run_id=started.run_id),
                reason="test",
                workflow_task_finish_event_id=4,
                request_id=uuid.uuid4().hex,
            )
        )
        await outside.send(started, "finish")
        assert await watching == {"got": []}


async def test_one_poll_for_all_who_watch_a_run(collecting: Any) -> None:
    app = collecting.load()
    async with collecting.serving(app):
        outside = Outside(app, collecting.address)
        started = await outside.start()
        client, following = await Client.connect(collecting.address), Following()
        watchers = [
            asyncio.create_task(following.follow(client, started.workflow_id, started.run_id)) for _ in range(50)
        ]
        await asyncio.sleep(0)
        assert len(following._tasks) == 1
        for watcher in watchers[1:]:
            watcher.cancel()
        await asyncio.wait(watchers[1:])
        assert len(following._tasks) == 1
        await outside.send(started, "finish")
        assert (await watchers[0]).value is not None
        assert following._tasks == {}
        last = asyncio.create_task(following.follow(client, started.workflow_id, started.run_id))
        await asyncio.sleep(0)
        last.cancel()
        await asyncio.wait([last])
        assert following._tasks == {}


async def test_a_watch_outlives_the_server(tmp_path: Path) -> None:
    """The server is stopped while somebody watches, and comes back with its data on the same port."""
    data = tmp_path / "server.db"
    async with EmbeddedServer.start(data_file=data) as server:
        address, port = server.address, int(server.address.rpartition(":")[2])
        (tmp_path / "app").mkdir()
        bench = Bench(address, tmp_path / "app")
        bench.workflow(COLLECT)
        app = bench.load()
        outside = Outside(app, address)
        started = await outside.start()
        watching = asyncio.create_task(outside.result(started))
        await asyncio.sleep(0.2)
    async with EmbeddedServer.start(data_file=data, port=port), bench.serving(app):
        await outside.send(started, "finish")
        assert await watching == {"got": []}


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (RPCStatusCode.NOT_FOUND, "NOT_FOUND", False),
        (RPCStatusCode.ALREADY_EXISTS, "ALREADY_EXISTS", False),
        (RPCStatusCode.INVALID_ARGUMENT, "INVALID", False),
        (RPCStatusCode.FAILED_PRECONDITION, "INVALID", False),
        (RPCStatusCode.PERMISSION_DENIED, "PERMISSION_DENIED", False),
        (RPCStatusCode.UNAUTHENTICATED, "PERMISSION_DENIED", False),
        (RPCStatusCode.UNAVAILABLE, "UNAVAILABLE", True),
        (RPCStatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", True),
        (RPCStatusCode.DEADLINE_EXCEEDED, "TIMEOUT", True),
        (RPCStatusCode.INTERNAL, "INTERNAL", None),
    ],
)
def test_refusals_have_kinds(status: RPCStatusCode, kind: str, retryable: bool | None) -> None:
    error = refused(RPCError("because", status, b""), "cannot do it").error
    assert (error.kind, error.retryable) == (kind, retryable)
    assert error.message.startswith("cannot do it: ")
    assert "because" in error.message


async def test_no_server_is_unavailable(bench: Any) -> None:
    bench.workflow("return 1")
    outside = Outside(bench.load(), "127.0.0.1:1")
    error = await failing(outside.start())
    assert error.kind == "UNAVAILABLE"
    assert error.retryable is True
