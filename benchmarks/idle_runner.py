"""A WorkflowRunner that does nothing but answer: what is left is the SDK's worker and its core."""

from __future__ import annotations

from typing import Any

import temporalio.workflow
from history import TASK_QUEUE
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import StorageDriverStoreContext, StorageDriverWorkflowInfo
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

MOVES = ("initialize_workflow", "resolve_activity", "fire_timer")
"""Jobs that make the workflow take its next step."""


class IdleRunner(WorkflowRunner):
    """Runs the steps of app/sequence.lua, by count, without a workflow.

    activities: how many activities the history has.
    """

    def __init__(self, activities: int) -> None:
        self.activities = activities

    def prepare_workflow(self, defn: temporalio.workflow._Definition) -> None:
        """There is nothing to prepare."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A counter of steps."""
        return IdleInstance(self.activities, det.info)


class IdleSteps:
    """A run that knows how many steps it has made."""

    def __init__(self, activities: int) -> None:
        self._activities = activities
        self._step = 0

    def answer(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """One command for each job that moves the workflow on."""
        done = WorkflowActivationCompletion(run_id=act.run_id)
        done.successful.SetInParent()
        for job in act.jobs:
            if job.WhichOneof("variant") not in MOVES:
                continue
            self._step += 1
            command = done.successful.commands.add()
            if self._step <= self._activities:
                activity = command.schedule_activity
                activity.seq = self._step
                activity.activity_id, activity.activity_type = str(self._step), "bench:echo"
                activity.task_queue = TASK_QUEUE
                activity.start_to_close_timeout.FromSeconds(600)
                argument = activity.arguments.add()
                argument.metadata["encoding"], argument.data = b"json/plain", b'{"i":0}'
            elif self._step == self._activities + 1:
                command.start_timer.seq = 1
                command.start_timer.start_to_fire_timeout.FromMilliseconds(10)
            else:
                result = command.complete_workflow_execution.result
                result.metadata["encoding"], result.data = b"json/plain", b"{}"
        return done


class IdleInstance(WorkflowInstance):
    """A run for the SDK's worker."""

    def __init__(self, activities: int, info: temporalio.workflow.Info) -> None:
        self._steps = IdleSteps(activities)
        self._info = info

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """The next step."""
        return self._steps.answer(act)

    def get_serialization_context(self, command_info: Any) -> None:
        """Nothing here is encoded with a context."""

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        """As the SDK's own instances."""
        info = self._info
        return StorageDriverStoreContext(
            target=StorageDriverWorkflowInfo(
                id=info.workflow_id, run_id=info.run_id, type=info.workflow_type, namespace=info.namespace
            )
        )

    def get_info(self) -> temporalio.workflow.Info:
        """The SDK's info of this run."""
        return self._info
