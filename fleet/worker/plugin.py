"""LuaPlugin: Lua workflows and activities in an existing Python Worker or Replayer, beside its own."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from temporalio.client import Client, WorkflowHistory
from temporalio.worker import (
    Plugin,
    Replayer,
    ReplayerConfig,
    Worker,
    WorkerConfig,
    WorkflowReplayResult,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from fleet.activity import ContextInterceptor, Functions, named_activity_definitions
from fleet.process import Node
from fleet.registry import App
from fleet.workflow import LuaWorkflowRunner, Origin, WorkflowScripts, workflow_class


class LuaPlugin(Plugin):
    """Adds the Lua workflows and activities of an application to a temporalio Worker or Replayer.

    Usage::

        app = fleet.load_app("examples/orders")
        Worker(client, task_queue="orders", workflows=[MyPythonWorkflow], plugins=[fleet.LuaPlugin(app)])

    app: a loaded application. worker: id of a temporal.worker entry, to take only what names it; None takes all.
    The worker's own workflow runner goes on running its Python workflows; payload codecs and interceptors apply to
    Lua as well. origin: for a Replayer, the task queue and namespace that the recorded runs had.
    """

    def __init__(self, app: App, *, worker: str | None = None, origin: Origin | None = None) -> None:
        if worker is not None and worker not in app.workers:
            known = ", ".join(app.workers) or "none"
            raise ValueError(f"the application has no temporal.worker {worker!r}: it has {known}")
        self.app = app
        self._workers = [worker] if worker is not None else list(app.workers)
        self._origin = origin
        self._scripts = WorkflowScripts(app)
        self._functions = Functions(app)

    def name(self) -> str:
        """The plugin's name in Temporal's worker heartbeats."""
        return "lua-fleet"

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Add workflows, activities and the runner."""
        workflows = [workflow_class(entry) for id in self._workers for entry in self.app.workflows_of(id)]
        activities = [a for id in self._workers for a in named_activity_definitions(self._functions, id)]
        config["workflows"] = [*config.get("workflows", []), *workflows]
        config["activities"] = [*config.get("activities", []), *activities]
        config["interceptors"] = [*config.get("interceptors", []), ContextInterceptor()]
        config["workflow_runner"] = self._runner(config.get("workflow_runner"))
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run the worker, then free what the functions hold and the states that no run took."""

        async def own_client(id: str) -> Client:
            return worker.client

        async with self._functions, Node(self._functions, own_client):
            try:
                await next(worker)
            finally:
                self._scripts.close()

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """Add workflows and the runner."""
        workflows = [workflow_class(entry) for id in self._workers for entry in self.app.workflows_of(id)]
        config["workflows"] = [*config.get("workflows", []), *workflows]
        config["workflow_runner"] = self._runner(config.get("workflow_runner"))
        return config

    def run_replayer(
        self,
        replayer: Replayer,
        histories: AsyncIterator[WorkflowHistory],
        next: Callable[
            [Replayer, AsyncIterator[WorkflowHistory]],
            AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]],
        ],
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]:
        """Replay, then free the states that no run took."""

        @asynccontextmanager
        async def replaying() -> AsyncIterator[AsyncIterator[WorkflowReplayResult]]:
            try:
                async with next(replayer, histories) as results:
                    yield results
            finally:
                self._scripts.close()

        return replaying()

    def _runner(self, own: WorkflowRunner | None) -> LuaWorkflowRunner:
        runner = own or SandboxedWorkflowRunner()
        if isinstance(runner, SandboxedWorkflowRunner):
            # A module with Python workflows may well import fleet, to make the plugin: that must not break them.
            restrictions = runner.restrictions.with_passthrough_modules("fleet")
            runner = dataclasses.replace(runner, restrictions=restrictions)
        return LuaWorkflowRunner(self._scripts, runner, self._origin)
