"""The history that all contenders replay: recorded once, on an embedded server by the Lua workflow, and kept."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from pathlib import Path

from temporalio.api.history.v1 import History
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import fleet
from fleet.lane import serialized
from fleet.registry import App
from fleet.server import EmbeddedServer

WORKFLOW = "bench:sequence"
TASK_QUEUE = "bench"


def recorded_history(app: App, count: int, directory: Path) -> WorkflowHistory:
    """The history of a run of `count` activities in a row and a timer.

    It is recorded anew when the application is not the one that it was recorded with.
    """
    digest = hashlib.sha256(f"{app.content_hash} {count}".encode()).hexdigest()[:12]
    file = directory / f"sequence-{count}-{digest}.binpb"
    if not file.exists():
        history = asyncio.run(record(app, count))
        directory.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_bytes(serialized(history))
        partial.rename(file)
    return WorkflowHistory(WORKFLOW, History.FromString(file.read_bytes()).events)


def as_numbered_by_sdk(history: WorkflowHistory) -> WorkflowHistory:
    """A copy for the Python SDK, which numbers timers apart from activities: its first timer is number 1."""
    copy = History.FromString(serialized(history))
    for event in copy.events:
        for name in ("timer_started_event_attributes", "timer_fired_event_attributes"):
            if event.HasField(name):
                getattr(event, name).timer_id = "1"
    return WorkflowHistory(history.workflow_id, copy.events)


async def record(app: App, count: int) -> WorkflowHistory:
    """Run the Lua workflow with its Lua activity on a server of our own."""
    async with EmbeddedServer.start() as server:
        client = await Client.connect(server.address)
        worker = Worker(
            client, task_queue=TASK_QUEUE, plugins=[fleet.LuaPlugin(app)], workflow_runner=UnsandboxedWorkflowRunner()
        )
        async with worker:
            handle = await client.start_workflow(
                app.workflow_type(WORKFLOW), count, id=f"bench-{uuid.uuid4()}", task_queue=TASK_QUEUE
            )
            await handle.result()
            return await handle.fetch_history()
