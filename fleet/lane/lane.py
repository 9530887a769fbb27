"""Polls a core worker, runs each activation in Lua on the event loop, and answers before it looks for the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import temporalio.converter
from temporalio.bridge.proto.workflow_activation import InitializeWorkflow, RemoveFromCache, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import Success, WorkflowActivationCompletion

from fleet.workflow.envelope import EVICTION, activation_head

from .bridge import Core, CoreClosed

log = logging.getLogger(__name__)


class Run(Protocol):
    """What the lane needs of a run; LuaRun is one."""

    def activate(self, activation: bytes, is_replaying: bool, jobs: int) -> bytes:
        """Apply an activation. Never raises."""

    def refused(self) -> bytes:
        """A completion in place of one that is no valid message."""

    def leave(self, eviction: RemoveFromCache) -> None:
        """The run leaves the cache."""


Start = Callable[[str, InitializeWorkflow], Run]
"""Makes the run of an id. What it raises fails the workflow task."""

Evicted = Callable[[RemoveFromCache], None]
"""Told when a run has left the cache, and the core knows it."""


class Lane:
    """The runs of one core worker.

    core: where activations come from. start: makes runs. evicted: is told of each run that has gone.

    Lua runs on the event loop, a bounded time per activation (`Limits.seconds`): a thread for each costs more than most
    activations do. Completions are not awaited: the core orders what belongs to one run.
    """

    def __init__(self, core: Core, start: Start, evicted: Evicted | None = None) -> None:
        self._core = core
        self._start = start
        self._evicted = evicted
        self._runs: dict[str, Run] = {}
        self._completing: set[asyncio.Future[None]] = set()

    async def run(self) -> None:
        """Until the core worker shuts down; what was completed has then arrived. Raises what polling fails with."""
        try:
            while True:
                self._take(await self._core.poll())
        except CoreClosed:
            pass
        finally:
            if self._completing:
                await asyncio.wait(self._completing)

    def _take(self, activation: bytes) -> None:
        run_id, is_replaying, jobs = activation_head(activation)
        if jobs == EVICTION:
            self._leave(run_id, WorkflowActivation.FromString(activation).jobs[0].remove_from_cache)
            return
        try:
            run = self._runs.get(run_id) or self._started(run_id, activation)
            completion = run.activate(activation, is_replaying, jobs)
        except Exception as error:
            log.exception("Failed handling activation on workflow with run ID %s", run_id)
            self._complete(run_id, _failed(run_id, error))
            return
        try:
            self._complete(run_id, completion)
        except ValueError:
            self._complete(run_id, run.refused())

    def _started(self, run_id: str, activation: bytes) -> Run:
        for job in WorkflowActivation.FromString(activation).jobs:
            if job.HasField("initialize_workflow"):
                run = self._runs[run_id] = self._start(run_id, job.initialize_workflow)
                return run
        raise RuntimeError("Missing initialize workflow, workflow could have unexpectedly been removed from cache")

    def _leave(self, run_id: str, eviction: RemoveFromCache) -> None:
        run = self._runs.pop(run_id, None)
        if run is not None:
            run.leave(eviction)
        gone = self._complete(
            run_id, WorkflowActivationCompletion(run_id=run_id, successful=Success()).SerializeToString()
        )
        if self._evicted is not None:
            evicted = self._evicted
            gone.add_done_callback(lambda _: evicted(eviction))

    def _complete(self, run_id: str, completion: bytes) -> asyncio.Future[None]:
        future = self._core.complete(completion)
        self._completing.add(future)
        future.add_done_callback(self._completing.discard)
        future.add_done_callback(lambda future: _completed(run_id, future))
        return future


def _completed(run_id: str, future: asyncio.Future[None]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.error("Failed completing activation on workflow with run ID %s", run_id, exc_info=error)


def _failed(run_id: str, error: Exception) -> bytes:
    """A completion that fails the workflow task with a Python error, as the SDK's worker words it."""
    completion = WorkflowActivationCompletion(run_id=run_id)
    converter = temporalio.converter.DataConverter.default
    converter.failure_converter.to_failure(error, converter.payload_converter, completion.failed.failure)
    return completion.SerializeToString()
