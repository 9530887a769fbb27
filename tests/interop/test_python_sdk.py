"""Clients, workflows and activities of the Python SDK beside those in Lua, each way round."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from approval_flow import APPROVAL, MODULES
from python_flows import PythonChild, PythonParent, PythonSender, charge
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

TIMEOUT = timedelta(seconds=60)


@dataclass
class Python:
    """A worker of the Python SDK on a queue of its own."""

    client: Client
    queue: str

    async def run(self, type: str, *args: Any) -> Any:
        """The result of a workflow on this worker."""
        return await self.client.execute_workflow(
            type, args=args, id=f"py-{uuid.uuid4().hex[:12]}", task_queue=self.queue, execution_timeout=TIMEOUT
        )


@pytest.fixture
async def python(bench: Any) -> AsyncIterator[Python]:
    client = await bench.client()
    queue = f"python-{bench.queue}"
    flows = [PythonParent, PythonChild, PythonSender]
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=queue, workflows=flows, activities=[charge], workflow_runner=runner):
        yield Python(client, queue)


async def failure(handle: WorkflowHandle[Any, Any]) -> BaseException | None:
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    return raised.value.cause


# ---- a Python client, Lua workflows


async def test_signal_query_update_result(bench: Any) -> None:
    bench.workflow(APPROVAL, modules=MODULES)
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving, {"id": "o-1", "total": 5})
        await handle.signal("note", {"text": "gift", "lines": [1, 2.5]})
        await handle.signal("note", None)
        assert (await handle.query("status"))["notes"] == [{"text": "gift", "lines": [1, 2.5]}]
        assert await handle.execute_update("set_total", 12, id="u|1") == {"id": "o-1", "total": 12}
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update("set_total", "many", id="u2")
        cause = refused.value.cause
        assert isinstance(cause, ApplicationError)
        assert (cause.message, cause.type, cause.non_retryable) == ("the total is a number", "INVALID", True)
        assert cause.details[0]["errors"][0]["details"] == {"got": "string"}
        await handle.signal("approve")
        assert (await handle.result())["senders"] == [
            "a client",
            "a client",
            "{update|u%7C1}",
            "{update|u2}",
            "a client",
        ]
        await bench.replay(app, await bench.outcome(handle))


async def test_failure_and_cancel(bench: Any) -> None:
    bench.workflow(APPROVAL, modules=MODULES)
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving, {"id": "o-2"})
        await handle.signal("refuse", "the bank")
        cause = await failure(handle)
        assert isinstance(cause, ApplicationError)
        assert (cause.message, cause.type, cause.non_retryable) == ("refused by the bank", "PERMISSION_DENIED", True)
        assert cause.details[0]["errors"][0]["details"] == {"by": "the bank"}
        handle = await bench.start(serving, {"id": "o-3"})
        await handle.cancel()
        assert isinstance(await failure(handle), CancelledError)


# ---- Python workflows, Lua children


async def test_a_python_workflow_has_a_lua_child(bench: Any, python: Python) -> None:
    bench.workflow("local order, n = ... return {id = order.id, n = n + 1}")
    bench.workflow(
        'return nil, errors.new{message = "gone", kind = "NOT_FOUND", retryable = false}',
        name="bad",
        modules="errors",
    )
    async with bench.serving(bench.load()):
        assert await python.run("PythonParent", "app:wf", bench.queue, [{"id": "o"}, 1]) == {
            "value": {"id": "o", "n": 2}
        }
        assert await python.run("PythonParent", "app:bad", bench.queue, []) == {
            "type": "NOT_FOUND",
            "message": "gone",
            "final": True,
        }


async def test_a_python_workflow_signals_and_cancels_a_lua_workflow(bench: Any, python: Python) -> None:
    bench.workflow(APPROVAL, modules=MODULES)
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving, {"id": "o-1"})
        await python.run("PythonSender", handle.id, {"from": "python"})
        assert isinstance(await failure(handle), CancelledError)
        assert (await handle.query("status")) == {"status": "canceled", "notes": [{"from": "python"}], "order": "o-1"}


# ---- Lua workflows, Python children and activities


async def test_a_lua_workflow_has_a_python_child(bench: Any, python: Python) -> None:
    bench.workflow(
        """
    local queue = ...
    local done = process.exec("PythonChild", queue, {sku = "a"}, "return")
    local none, err = process.exec("PythonChild", queue, {sku = "a"}, "fail")
    local events = process.events()
    local pid = assert(process.spawn("PythonChild", queue, {sku = "b"}, "wait"))
    assert(process.send(pid, "add", 2))
    assert(process.send(pid, "add", 3))
    assert(process.send(pid, "finish"))
    local event = events:receive()
    return {
        done = done, failed = {kind = err:kind(), message = err:message(), retryable = err:retryable(),
            details = err:details().sku},
        waited = event.result.value, same = event.from == pid,
    }
    """
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        handle = await bench.start(serving, python.queue)
        outcome = await bench.outcome(handle)
        assert outcome.failure is None, outcome.failure
        assert outcome.result == {
            "done": {"order": {"sku": "a"}, "amount": 0, "parent": True},
            "failed": {"kind": "NOT_FOUND", "message": "out of stock", "retryable": False, "details": "a"},
            "waited": {"order": {"sku": "b"}, "amount": 5, "parent": True},
            "same": True,
        }
        await bench.replay(app, outcome)


async def test_a_lua_workflow_calls_a_python_activity(bench: Any, python: Python) -> None:
    bench.workflow(
        """
    local queue = ...
    local python = funcs.new():with_options({["activity.task_queue"] = queue})
    local paid = assert(python:call("charge", "acc-1", 250))
    local none, err = python:call("charge", "acc-1", -1)
    local missing = funcs.new():with_options({["activity.task_queue"] = queue,
        ["activity.retry_policy"] = {maximum_attempts = 1}})
    local _, unknown = missing:call("no_such_activity")
    return {
        paid = paid, failed = {kind = err:kind(), message = err:message(), retryable = err:retryable(),
            cents = err:details().cents},
        unknown = {kind = unknown:kind(), retryable = unknown:retryable()},
    }
    """,
        modules="funcs",
    )
    app = bench.load()
    async with bench.serving(app) as serving:
        outcome = await bench.outcome(await bench.start(serving, python.queue))
        assert outcome.failure is None, outcome.failure
        assert outcome.result == {
            "paid": {"account": "acc-1", "cents": 250, "attempt": 1},
            "failed": {"kind": "INVALID", "message": "no refunds", "retryable": False, "cents": -1},
            "unknown": {"kind": "NOT_FOUND", "retryable": True},
        }
        await bench.replay(app, outcome)
