"""Serves an application: a Temporal Worker for each temporal.worker entry, and its other services."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from fleet.activity import ActivityTasks, ContextInterceptor, Functions, activity_definitions
from fleet.lane import Observer, grant_off_loop, misfit
from fleet.process import Node, process_services
from fleet.registry import App, ClientEntry, WorkerEntry
from fleet.supervisor.page import Lane
from fleet.workflow import LuaWorkflowRunner, Residents, WorkflowScripts, workflow_class

from .cache import bound_by_bytes
from .client import client_warnings
from .declared import check_search_attributes
from .lanes import on_lane
from .lifecycle import Supervisor
from .observed import ObservingInterceptor
from .options import DEFAULT_GRACE, worker_options
from .permits import WorkerPermits
from .version_watch import ServedVersion
from .watch import Watch, WatchedRunner

if TYPE_CHECKING:
    from fleet.http import HttpServer

log = logging.getLogger(__name__)

Connector = Callable[[ClientEntry], Awaitable[Client]]


@dataclass(frozen=True)
class ServiceOptions:
    """How services run.

    Attributes:
        loopback: an address without a host is 127.0.0.1, not every interface.
        drain: seconds that HTTP requests may still take at the end; by their entry when None.
        reuse_port: several processes serve HTTP on the same port.
    """

    loopback: bool = False
    drain: float | None = None
    reuse_port: bool = False


@dataclass
class Serving:
    """An application that is being served.

    Attributes:
        app: the application.
        functions: its functions, for calls without Temporal.
        node: its processes.
        clients: a connected client for each temporal.client entry, by id.
        residents: the cached workflow runs.
        workers: the running workers, by id of their entry.
        lanes: how each worker runs workflows and activities, by id of its entry: Lane.FAST or Lane.PUBLIC.
        http: the running HTTP servers.
        warnings: options that have no effect, workers without the fast lane: one text each.
        versions: those that the workers run as, without those of unversioned workers.
    """

    app: App
    functions: Functions
    node: Node
    clients: Mapping[str, Client]
    residents: Residents
    workers: dict[str, Worker] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    http: list[HttpServer] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    versions: set[ServedVersion] = field(default_factory=set)
    _failed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def failed(self) -> None:
        """Wait for ever; raises when a worker or a required service ends by itself, with its error."""
        await asyncio.shield(self._failed)

    def fail(self, error: BaseException) -> None:
        """Let `failed` raise this; the first error counts."""
        if not self._failed.done():
            self._failed.set_exception(error)


@asynccontextmanager
async def serve(
    app: App,
    connect: Connector,
    *,
    overrides: Mapping[str, Any] | None = None,
    client_ids: set[str] | None = None,
    services: ServiceOptions | None = None,
    permits: WorkerPermits | None = None,
    cache_bytes: int = 0,
    watch: Watch | None = None,
    longest_default_grace: timedelta = DEFAULT_GRACE,
    lane: bool = True,
) -> AsyncIterator[Serving]:
    """Serve `app` for the length of an `async with` block: the workers poll when it begins and have drained at its end.

    connect: makes the client of a temporal.client entry (`fleet.worker.client.connect`, or one to an embedded server).
    overrides: arguments of temporalio's Worker that win over what the entries say.
    client_ids: serve the workers of these clients only; all when None.
    services: how to run the services that are no workers; None leaves them out.
    permits: bounds what the workers take at once, at run time; None is the fixed sizes of the entries.
    cache_bytes: what the Lua states of cached workflow runs may hold together; 0 is no limit. The SDK's bound of their
    number, max_cached_workflows of each worker, holds beside it.
    watch: is told of each activation and activity.
    longest_default_grace: bounds how long activities may finish where the entry does not say it.
    lane: run workflows and activities on the fast lane (`fleet.lane`) where that is possible; False: on the SDK's
    public interface.
    Raises AppError when a Lua file does not compile, ConnectError, WorkerOptionsError, StartError,
    MissingSearchAttributes when a namespace lacks a search attribute that its client declares.
    """
    entries = [worker for worker in app.workers.values() if client_ids is None or worker.client in client_ids]
    async with AsyncExitStack() as stack:
        functions = await stack.enter_async_context(Functions.open(app))
        scripts = WorkflowScripts(app)
        stack.callback(scripts.close)
        scripts.programs.check()
        needed = sorted({entry.client for entry in entries})
        connecting = asyncio.gather(*(connect(app.clients[id]) for id in needed))
        if lane and needed:
            # Tried while the servers answer.
            await misfit()
        clients = dict(zip(needed, await connecting, strict=True))

        async def client_of(id: str) -> Client:
            # One without workers to serve is connected when a script wants it.
            return clients[id] if id in clients else await connect(app.clients[id])

        node = await stack.enter_async_context(Node(functions, client_of, lambda error: serving.fail(error)))
        serving = Serving(app, functions, node, clients, Residents(cache_bytes))
        for id in needed:
            serving.warnings.extend(client_warnings(app.clients[id]))
            serving.warnings.extend(await check_search_attributes(clients[id], app.clients[id]))
            await node.attend(id)
        if permits is not None:
            await stack.enter_async_context(permits.following())
        for entry in entries:
            arguments = {**_grace(entry, longest_default_grace), **(overrides or {})}
            worker = await _worker(entry, serving, scripts, arguments, permits, watch, lane)
            if worker is not None:
                serving.workers[entry.id] = await stack.enter_async_context(_running(worker, entry, serving))
        if services is not None:
            await stack.enter_async_context(_services(serving, services))
        yield serving


@asynccontextmanager
async def _services(serving: Serving, options: ServiceOptions) -> AsyncIterator[None]:
    """Run the services; after the workers, which they may need, and stopped before them."""
    servers: list[HttpServer] = []
    if serving.app.http_services:
        # aiohttp takes as long to import as the rest of a worker that needs no HTTP.
        from fleet.http import http_servers

        servers = http_servers(
            serving.functions, loopback=options.loopback, drain=options.drain, reuse_port=options.reuse_port
        )
    supervisor = Supervisor(serving.app, [*servers, *process_services(serving.node)], serving.fail)
    serving.http = [server for server in servers if server in supervisor.services]
    serving.warnings += supervisor.warnings
    for server in serving.http:
        serving.warnings += server.warnings
    await supervisor.start()
    try:
        yield
    finally:
        await supervisor.stop()


def _grace(entry: WorkerEntry, longest: timedelta) -> dict[str, Any]:
    explicit = "worker_stop_timeout" in entry.worker_options.explicit
    return {} if explicit else {"graceful_shutdown_timeout": min(DEFAULT_GRACE, longest)}


async def _worker(
    entry: WorkerEntry,
    serving: Serving,
    scripts: WorkflowScripts,
    overrides: Mapping[str, Any],
    permits: WorkerPermits | None,
    watch: Watch | None,
    lane: bool,
) -> Worker | None:
    app = serving.app
    settings = worker_options(entry, default_build_id=app.content_hash)
    serving.warnings.extend(settings.warnings)
    workflows = [workflow_class(workflow) for workflow in app.workflows_of(entry.id)] if settings.workflows else []
    activities = app.activities_of(entry.id)
    if not workflows and not activities:
        log.warning("%s:%d: entry %s serves nothing: no entry names it", entry.file, entry.line, entry.id)
        return None
    # Without activities of its own it must not take those of another worker of the queue; local ones it has.
    kwargs = {**settings.kwargs, **({} if activities else {"no_remote_activities": True}), **overrides}
    if "deployment_config" in overrides:
        kwargs.pop("build_id", None)  # the SDK takes one of the two
    observers: list[Observer] = [watch] if watch is not None else []
    direct = permits is not None and lane and not await misfit()
    if permits is not None:
        number = sorted(app.workers).index(entry.id)
        kwargs = permits.tuned(number, kwargs, direct=direct)
        observers += permits.observers(number)
    interceptors = [ContextInterceptor(), ObservingInterceptor(observers)]
    runner = LuaWorkflowRunner(scripts, UnsandboxedWorkflowRunner(), residents=serving.residents)
    definitions = activity_definitions(serving.functions, entry.id)
    worker = Worker(
        serving.clients[entry.client],
        workflows=workflows,
        activities=definitions,
        interceptors=interceptors,
        workflow_runner=WatchedRunner(runner, watch) if watch is not None else runner,
        **kwargs,
    )
    if direct:
        grant_off_loop(worker)
    deployment = kwargs.get("deployment_config")
    if deployment is not None and deployment.use_worker_versioning:
        serving.versions.add(ServedVersion(serving.clients[entry.client], deployment.version))
    if workflows:
        bound_by_bytes(worker, runner)
    reason = ""
    if lane:
        tasks = ActivityTasks(serving.functions, entry.id, worker)
        reason = await on_lane(worker, entry, app, runner, watch, definitions, tasks.running, observers, interceptors)
    serving.lanes[entry.id] = Lane.FAST if lane and not reason else Lane.PUBLIC
    if reason:
        serving.warnings.append(f"entry {entry.id} runs on temporalio's public interface, which is slower: {reason}")
    return worker


@asynccontextmanager
async def _running(worker: Worker, entry: WorkerEntry, serving: Serving) -> AsyncIterator[Worker]:
    """Run the worker; its own end is an error that `Serving.failed` raises."""
    task = asyncio.create_task(worker.run(), name=f"worker {entry.id}")

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            serving.fail(error)

    task.add_done_callback(ended)
    try:
        yield worker
    finally:
        await worker.shutdown()
        await asyncio.wait([task])
