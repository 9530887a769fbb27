"""The workflows of a core worker: runs each activation on the event loop, and answers before it looks for the next."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from temporalio.bridge.proto.workflow_activation import InitializeWorkflow, RemoveFromCache, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import Success, WorkflowActivationCompletion
from temporalio.converter import DataConverter

from fleet.workflow.envelope import EVICTION, activation_head

from .bridge import WorkflowCore
from .polled import Polled

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


class WorkflowLane(Polled):
    """The runs of one core worker.

    core: where activations come from. start: makes runs. evicted: is told of each run that has gone. converter: makes
    failures of what `start` raises.

    Lua runs on the event loop, a bounded time per activation (`Limits.seconds`): a thread for each costs more than most
    activations do. Completions are not awaited: the core orders what belongs to one run.
    """

    def __init__(
        self,
        core: WorkflowCore,
        start: Start,
        evicted: Evicted | None = None,
        *,
        converter: DataConverter = DataConverter.default,
    ) -> None:
        super().__init__(core)
        self._start = start
        self._evicted = evicted
        self._converter = converter
        self._runs: dict[str, Run] = {}

    def _refuse(self, activation: bytes, /) -> None:
        """See base class."""
        run_id, _, _ = activation_head(activation)
        completion = WorkflowActivationCompletion(run_id=run_id)
        completion.failed.failure.message = "Worker shutting down"
        self._answer(run_id, completion.SerializeToString())

    def _take(self, activation: bytes, /) -> None:
        """See base class."""
        run_id, is_replaying, jobs = activation_head(activation)
        if jobs == EVICTION:
            self._leave(run_id, WorkflowActivation.FromString(activation).jobs[0].remove_from_cache)
            return
        try:
            run = self._runs.get(run_id) or self._started(run_id, activation)
            completion = run.activate(activation, is_replaying, jobs)
        except Exception as error:
            log.exception("Failed handling activation on workflow with run ID %s", run_id)
            self._answer(run_id, self._failed(run_id, error))
            return
        try:
            self._answer(run_id, completion)
        except ValueError:
            self._answer(run_id, run.refused())

    def _answer(self, run_id: str, completion: bytes, arrived: Callable[[], None] | None = None) -> None:
        """Hand in the completion of the last activation, and poll for the next."""
        self._core.complete(run_id, completion, arrived, poll=True)

    def _started(self, run_id: str, activation: bytes) -> Run:
        for job in WorkflowActivation.FromString(activation).jobs:
            if job.HasField("initialize_workflow"):
                run = self._runs[run_id] = self._start(run_id, job.initialize_workflow)
                return run
        raise RuntimeError("Missing initialize workflow, workflow could have unexpectedly been removed from cache")

    def _leave(self, run_id: str, eviction: RemoveFromCache) -> None:
        log.debug("Evicting workflow with run ID %s, message: %s", run_id, eviction.message)
        run = self._runs.pop(run_id, None)
        try:
            if run is not None:
                run.leave(eviction)
        except Exception:
            # The run is gone all the same: the core waits for the answer, and a worker for the core.
            log.exception("Failed evicting workflow with run ID %s", run_id)
        evicted = self._evicted
        self._answer(
            run_id,
            WorkflowActivationCompletion(run_id=run_id, successful=Success()).SerializeToString(),
            None if evicted is None else lambda: evicted(eviction),
        )

    def _failed(self, run_id: str, error: Exception) -> bytes:
        """A completion that fails the workflow task with a Python error, as the SDK's worker words it."""
        completion = WorkflowActivationCompletion(run_id=run_id)
        failure = completion.failed.failure
        try:
            self._converter.failure_converter.to_failure(error, self._converter.payload_converter, failure)
        except Exception as inner:
            log.exception("Failed converting activation exception on workflow with run ID %s", run_id)
            failure.message = f"Failed converting activation exception: {inner}"
        return completion.SerializeToString()
