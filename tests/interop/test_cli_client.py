"""The `temporal` command line program starts, signals, queries, updates, cancels and reads Lua workflows."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from approval_flow import APPROVAL, MODULES
from temporal_cli import CliError, TemporalCli


class Shell:
    """Commands about one workflow id of the application that is being served."""

    def __init__(self, bench: Any) -> None:
        self.cli = TemporalCli(bench.address)
        self.queue = bench.queue
        self.id = f"order-{uuid.uuid4().hex[:12]}"

    async def start(self, order: dict[str, Any]) -> None:
        words = ("--type", "app:wf", "--task-queue", self.queue, "--input", json.dumps(order))
        await self.cli.text("workflow", "start", "--workflow-id", self.id, *words)

    async def json(self, *words: str) -> Any:
        return await self.cli.json("workflow", *words, "--workflow-id", self.id)

    async def signal(self, name: str, *values: Any) -> None:
        inputs = [word for value in values for word in ("--input", json.dumps(value))]
        await self.cli.text("workflow", "signal", "--workflow-id", self.id, "--name", name, *inputs)

    async def update(self, name: str, value: Any) -> Any:
        words = ("--name", name, "--input", json.dumps(value))
        return await self.json("update", "execute", *words)


@pytest.fixture
async def shell(bench: Any) -> AsyncIterator[Shell]:
    bench.workflow(APPROVAL, modules=MODULES)
    async with bench.serving(bench.load()):
        yield Shell(bench)


async def test_signal_query_update_result(shell: Shell) -> None:
    await shell.start({"id": "o-1", "total": 5})
    await shell.signal("note", {"text": "gift", "lines": [1, 2.5]})
    await shell.signal("note", "héllo")
    told = await shell.json("query", "--type", "status")
    notes = [{"text": "gift", "lines": [1, 2.5]}, "héllo"]
    assert told["queryResult"] == [{"status": "waiting", "notes": notes, "order": "o-1"}]
    updated = await shell.update("set_total", 12)
    assert updated["result"] == {"id": "o-1", "total": 12}
    await shell.signal("approve")
    result = await shell.json("result")
    assert result["status"] == "COMPLETED"
    assert result["result"] == {
        "id": "o-1",
        "total": 12,
        "notes": notes,
        "senders": ["a client", "a client", f"{{update|{updated['updateId']}}}", "a client"],
    }
    assert (await shell.json("query", "--type", "status"))["queryResult"][0]["status"] == "approved"


async def test_failures_of_updates_and_runs(shell: Shell) -> None:
    await shell.start({"id": "o-2"})
    with pytest.raises(CliError, match="the total is a number"):
        await shell.update("set_total", "many")
    await shell.signal("refuse", "the bank")
    with pytest.raises(CliError) as failed:
        await shell.json("result")
    assert "refused by the bank" in str(failed.value)
    assert "PERMISSION_DENIED" in str(failed.value)


async def test_cancel(shell: Shell) -> None:
    await shell.start({"id": "o-3"})
    await shell.cli.text("workflow", "cancel", "--workflow-id", shell.id)
    with pytest.raises(CliError, match="CANCELED"):
        await shell.json("result")
    assert (await shell.json("query", "--type", "status"))["queryResult"][0]["status"] == "canceled"


async def test_terminate_and_describe(shell: Shell) -> None:
    await shell.start({"id": "o-4"})
    assert (await shell.json("query", "--type", "status"))["queryResult"][0]["status"] == "waiting"
    await shell.cli.text("workflow", "terminate", "--workflow-id", shell.id, "--reason", "enough")
    told = await shell.json("describe")
    assert told["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_TERMINATED"
    assert told["workflowExecutionInfo"]["type"]["name"] == "app:wf"


async def test_execute_waits_for_the_result(bench: Any) -> None:
    bench.workflow("local a, b = ... return {sum = a + b}")
    async with bench.serving(bench.load()):
        told = await TemporalCli(bench.address).json(
            "workflow", "execute", "--type", "app:wf", "--task-queue", bench.queue, "--input", "2", "--input", "3"
        )
    assert told["result"] == {"sum": 5}
