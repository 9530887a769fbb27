"""Whether the installed temporalio is one that the lane fits: by its version, and by a replay of a tiny history."""

from __future__ import annotations

import asyncio
import logging

import temporalio
from temporalio.api.history.v1 import History
from temporalio.bridge.proto.workflow_activation import InitializeWorkflow, RemoveFromCache, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from fleet.workflow.envelope import START, activation_head

from .bridge import TESTED
from .replay import LaneReplayer

log = logging.getLogger(__name__)

_TYPE, _RUN = "fitness", "00000000-0000-0000-0000-000000000001"
_SECONDS = 10.0
"""Within which each half of the test is over, on the busiest machine; it takes milliseconds."""

_found: str | None = None
_told = False


async def misfit() -> str:
    """Why workflows cannot run on the lane with the installed SDK; "" when they can. Tried once per process."""
    global _found
    if _found is None:
        try:
            _check_version(temporalio.__version__)
            await _check_replay()
        except Exception as error:
            (first, second), (below, under) = TESTED
            _found = (
                f"its core cannot be driven directly ({type(error).__name__}: {error}); install a temporalio that"
                f" lua-fleet was tested with, from {first}.{second} on and below {below}.{under}"
            )
        else:
            _found = ""
    return _found


async def fits() -> bool:
    """Whether workflows can run on the lane; when they cannot, one warning of the process says why."""
    global _told
    reason = await misfit()
    if reason and not _told:
        _told = True
        log.warning("Workflows run on temporalio's public interface, which is slower: %s", reason)
    return not reason


def _check_version(version: str) -> None:
    major, minor, *_ = version.split(".")
    if not TESTED[0] <= (int(major), int(minor)) < TESTED[1]:
        raise RuntimeError(f"temporalio {version} is not known")


async def _check_replay() -> None:
    """Replay a history of one task."""
    runs: list[_Run] = []

    def start(run_id: str, job: InitializeWorkflow) -> _Run:
        if (run_id, job.workflow_type) != (_RUN, _TYPE):
            raise RuntimeError("an activation names another run")
        runs.append(_Run())
        return runs[-1]

    replayer = LaneReplayer("fitness")
    try:
        error = await asyncio.wait_for(replayer.replay(_TYPE, _history(), start), _SECONDS)
    finally:
        await asyncio.wait_for(replayer.close(), _SECONDS)
    if error is not None:
        raise error
    if [(run.activations, run.left) for run in runs] != [(1, True)]:
        raise RuntimeError("a replay does not activate and evict its run once")


class _Run:
    """Completes its workflow at once."""

    activations = 0
    left = False

    def activate(self, activation: bytes, is_replaying: bool, jobs: int) -> bytes:
        """Check what the core says with what the SDK reads of it."""
        message = WorkflowActivation.FromString(activation)
        if activation_head(activation) != (message.run_id, message.is_replaying, START):
            raise RuntimeError("an activation is misread")
        self.activations += 1
        completion = WorkflowActivationCompletion(run_id=_RUN)
        completion.successful.commands.add().complete_workflow_execution.SetInParent()
        return completion.SerializeToString()

    def refused(self) -> bytes:
        raise RuntimeError("a valid completion is refused")

    def leave(self, eviction: RemoveFromCache) -> None:
        """Note it."""
        self.left = True


def _history() -> bytes:
    history = History()
    for number, kind in enumerate((1, 5, 6, 7, 2), 1):
        history.events.add(event_id=number, event_type=kind)
        history.events[-1].event_time.FromSeconds(number)
    started, scheduled, begun, completed, ended = history.events
    attributes = started.workflow_execution_started_event_attributes
    attributes.workflow_type.name = attributes.workflow_id = _TYPE
    attributes.task_queue.name = "fitness"
    attributes.original_execution_run_id = attributes.first_execution_run_id = _RUN
    scheduled.workflow_task_scheduled_event_attributes.task_queue.name = "fitness"
    begun.workflow_task_started_event_attributes.scheduled_event_id = 2
    completed.workflow_task_completed_event_attributes.scheduled_event_id = 2
    completed.workflow_task_completed_event_attributes.started_event_id = 3
    ended.workflow_execution_completed_event_attributes.workflow_task_completed_event_id = 4
    return history.SerializeToString()
