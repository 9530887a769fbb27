"""What is asked of an activation or a completion without making a message of its bytes."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import Success, WorkflowActivationCompletion

from fleet import _core


def _number(message: Descriptor, field: str) -> int:
    return message.fields_by_name[field].number


_ACTIVATION = tuple(_number(WorkflowActivation.DESCRIPTOR, name) for name in ("run_id", "is_replaying", "jobs"))
_COMPLETION = (
    *(_number(WorkflowActivationCompletion.DESCRIPTOR, name) for name in ("successful", "failed")),
    _number(Success.DESCRIPTOR, "commands"),
)

EVICTION = 1 << _number(WorkflowActivationJob.DESCRIPTOR, "remove_from_cache")
ACTIVITY_RESULT = 1 << _number(WorkflowActivationJob.DESCRIPTOR, "resolve_activity")
SIGNAL = 1 << _number(WorkflowActivationJob.DESCRIPTOR, "signal_workflow")
START = 1 << _number(WorkflowActivationJob.DESCRIPTOR, "initialize_workflow")
LOCAL_ACTIVITY = 1 << _number(WorkflowCommand.DESCRIPTOR, "schedule_local_activity")


def activation_head(activation: bytes) -> tuple[str, bool, int]:
    """Of serialized WorkflowActivation: (run id, is it replaying, sorts of jobs: EVICTION, ACTIVITY_RESULT ... in a bit
    set). Raises ValueError when it is none."""
    run_id, is_replaying, jobs = _ACTIVATION
    return _core.activation_head(activation, run_id, is_replaying, jobs)


def completion_head(completion: bytes) -> tuple[bool, int]:
    """Of a serialized WorkflowActivationCompletion: (has the task failed, sorts of commands: LOCAL_ACTIVITY in a bit
    set). Raises ValueError when it is none."""
    successful, failed, commands = _COMPLETION
    return _core.completion_head(completion, successful, failed, commands)
