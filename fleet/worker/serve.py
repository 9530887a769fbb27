"""Serves an application: one Temporal Worker for each of its temporal.worker entries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from fleet.activity import ContextInterceptor, Functions, activity_definitions
from fleet.process import Deliveries, Node
from fleet.registry import App, ClientEntry, WorkerEntry
from fleet.workflow import LuaWorkflowRunner, WorkflowScripts, workflow_class

from .client import client_warnings
from .options import worker_options

log = logging.getLogger(__name__)

Connector = Callable[[ClientEntry], Awaitable[Client]]


@dataclass
class Serving:
    """An application that is being served.

    Attributes:
        app: the application.
        functions: its functions, for calls without Temporal.
        node: its processes.
        clients: a connected client for each temporal.client entry, by id.
        workers: the running workers, by id of their entry.
        warnings: options that have no effect, one text each.
    """

    app: App
    functions: Functions
    node: Node
    clients: Mapping[str, Client]
    workers: dict[str, Worker] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _failed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def failed(self) -> None:
        """Wait for ever; raises when a worker ends by itself, with its error."""
        await asyncio.shield(self._failed)


@asynccontextmanager
async def serve(
    app: App, connect: Connector, *, overrides: Mapping[str, Any] | None = None, client_ids: set[str] | None = None
) -> AsyncIterator[Serving]:
    """Serve `app` for the length of an `async with` block: the workers poll when it begins and have drained at its end.

    connect: makes the client of a temporal.client entry (`fleet.worker.client.connect`, or one to an embedded server).
    overrides: arguments of temporalio's Worker that win over what the entries say.
    client_ids: serve the workers of these clients only; all when None.
    Raises AppError when a Lua file does not compile, ConnectError, WorkerOptionsError.
    """
    entries = [worker for worker in app.workers.values() if client_ids is None or worker.client in client_ids]
    async with AsyncExitStack() as stack:
        functions = await stack.enter_async_context(Functions.open(app))
        node = Node(functions)
        scripts = WorkflowScripts(app)
        stack.callback(scripts.close)
        scripts.programs.check()
        needed = sorted({entry.client for entry in entries})
        clients = dict(zip(needed, await asyncio.gather(*(connect(app.clients[id]) for id in needed)), strict=True))
        serving = Serving(app, functions, node, clients)
        for id in needed:
            serving.warnings.extend(client_warnings(app.clients[id]))
        deliveries = Deliveries(node)
        for id in needed:
            await stack.enter_async_context(_running(deliveries.worker(clients[id]), f"of processes at {id}", serving))
        # Between the two: what drains may need processes, and they the answers of workflows.
        await stack.enter_async_context(node)
        for entry in entries:
            worker = _worker(entry, serving, scripts, overrides or {})
            if worker is not None:
                serving.workers[entry.id] = await stack.enter_async_context(_running(worker, entry.id, serving))
        yield serving


def _worker(
    entry: WorkerEntry, serving: Serving, scripts: WorkflowScripts, overrides: Mapping[str, Any]
) -> Worker | None:
    app = serving.app
    settings = worker_options(entry, default_build_id=app.content_hash)
    serving.warnings.extend(settings.warnings)
    workflows = [workflow_class(workflow) for workflow in app.workflows_of(entry.id)] if settings.workflows else []
    activities = app.activities_of(entry.id)
    if not workflows and not activities:
        log.warning("%s:%d: entry %s serves nothing: no entry names it", entry.file, entry.line, entry.id)
        return None
    return Worker(
        serving.clients[entry.client],
        workflows=workflows,
        activities=activity_definitions(serving.functions, entry.id),
        interceptors=[ContextInterceptor()],
        workflow_runner=LuaWorkflowRunner(scripts, UnsandboxedWorkflowRunner()),
        # Without activities of its own it must not take those of another worker of the queue; local ones it has.
        **{**settings.kwargs, **({} if activities else {"no_remote_activities": True}), **overrides},
    )


@asynccontextmanager
async def _running(worker: Worker, name: str, serving: Serving) -> AsyncIterator[Worker]:
    """Run the worker; its own end is an error that `Serving.failed` raises."""
    task = asyncio.create_task(worker.run(), name=f"worker {name}")

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None and not serving._failed.done():
            serving._failed.set_exception(task.exception() or RuntimeError(f"worker {name} ended"))

    task.add_done_callback(ended)
    try:
        yield worker
    finally:
        await worker.shutdown()
        await asyncio.wait([task])
