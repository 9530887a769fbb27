"""What is asked of an activation or a completion without making a message of its bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from google.protobuf.descriptor import Descriptor
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import Success, WorkflowActivationCompletion

from fleet import _core


def _number(message: Descriptor, field: str) -> int:
    return message.fields_by_name[field].number


EVICTION = 1 << _number(WorkflowActivationJob.DESCRIPTOR, "remove_from_cache")
ACTIVITY_RESULT = 1 << _number(WorkflowActivationJob.DESCRIPTOR, "resolve_activity")
SIGNAL = 1 << _number(WorkflowActivationJob.DESCRIPTOR, "signal_workflow")
START = 1 << _number(WorkflowActivationJob.DESCRIPTOR, "initialize_workflow")
LOCAL_ACTIVITY = 1 << _number(WorkflowCommand.DESCRIPTOR, "schedule_local_activity")


activation_head: Callable[[bytes], tuple[str, bool, int]] = partial(
    _core.activation_head,
    _number(WorkflowActivation.DESCRIPTOR, "run_id"),
    _number(WorkflowActivation.DESCRIPTOR, "is_replaying"),
    _number(WorkflowActivation.DESCRIPTOR, "jobs"),
)
"""Of a serialized WorkflowActivation: (run id, is it replaying, sorts of jobs: EVICTION, ACTIVITY_RESULT ... in a bit
set). Raises ValueError when it is none."""

completion_head: Callable[[bytes], tuple[bool, int]] = partial(
    _core.completion_head,
    _number(WorkflowActivationCompletion.DESCRIPTOR, "successful"),
    _number(WorkflowActivationCompletion.DESCRIPTOR, "failed"),
    _number(Success.DESCRIPTOR, "commands"),
)
"""Of a serialized WorkflowActivationCompletion: (has the task failed, sorts of commands: LOCAL_ACTIVITY in a bit set).
Raises ValueError when it is none."""
