"""The protobuf messages that the core reads and writes, described from the installed temporalio's own descriptors.

Field numbers and types are never written down here: a new temporalio brings its own. Only names are, and a name that
a release no longer has is an error at import, not a surprise in production.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from fleet import _core

# Fields of activation messages that the engine reads; of a message that is not named here it reads all.
_READ: dict[str, set[str]] = {
    "coresdk.workflow_activation.WorkflowActivation": {
        "run_id",
        "timestamp",
        "is_replaying",
        "history_length",
        "jobs",
        "available_internal_flags",
        "history_size_bytes",
        "continue_as_new_suggested",
    },
    "coresdk.workflow_activation.WorkflowActivationJob": {
        "initialize_workflow",
        "fire_timer",
        "update_random_seed",
        "query_workflow",
        "cancel_workflow",
        "signal_workflow",
        "resolve_activity",
        "notify_has_patch",
        "resolve_child_workflow_execution_start",
        "resolve_child_workflow_execution",
        "resolve_signal_external_workflow",
        "resolve_request_cancel_external_workflow",
        "do_update",
    },
    "coresdk.workflow_activation.InitializeWorkflow": {
        "workflow_type",
        "workflow_id",
        "arguments",
        "randomness_seed",
        "headers",
        "parent_workflow_info",
        "continued_from_execution_run_id",
        "continued_initiator",
        "first_execution_run_id",
        "attempt",
        "original_execution_run_id",
        "memo",
    },
    "coresdk.workflow_completion.Success": {"commands", "used_internal_flags", "versioning_behavior"},
    "coresdk.workflow_completion.WorkflowActivationCompletion": {"run_id", "successful", "failed"},
}

# Messages that nothing in Lua makes or reads.
_SKIPPED = {
    "coresdk.workflow_commands.ScheduleNexusOperation",
    "coresdk.workflow_commands.RequestCancelNexusOperation",
    "temporal.api.failure.v1.NexusOperationFailureInfo",
    "temporal.api.failure.v1.NexusHandlerFailureInfo",
    "temporal.api.sdk.v1.EventGroupMarker",
    "temporal.api.common.v1.Payload.ExternalPayloadDetails",
}

_SPECIAL = {
    "temporal.api.common.v1.Payload": "payload",
    "google.protobuf.Duration": "nanoseconds",
    "google.protobuf.Timestamp": "nanoseconds",
}

_KINDS = {
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_STRING: "bytes",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_MESSAGE: "message",
    FieldDescriptor.TYPE_INT32: "integer",
    FieldDescriptor.TYPE_INT64: "integer",
    FieldDescriptor.TYPE_UINT32: "integer",
    FieldDescriptor.TYPE_UINT64: "integer",
    FieldDescriptor.TYPE_ENUM: "integer",
}


class _Builder:
    def __init__(self) -> None:
        self.messages: list[tuple[str, list[Any]]] = []
        self.indexes: dict[str, int] = {}

    def add(self, descriptor: Descriptor) -> int:
        """The index of the message type, described once; types may refer to themselves."""
        name = descriptor.full_name
        if name in self.indexes:
            return self.indexes[name]
        index = self.indexes[name] = len(self.messages)
        fields: list[Any] = []
        self.messages.append((_SPECIAL.get(name, ""), fields))
        if name in _SPECIAL:
            return index
        wanted = _READ.get(name)
        if wanted is not None and (missing := wanted - set(descriptor.fields_by_name)):
            raise ImportError(f"the installed temporalio has no field {', '.join(sorted(missing))} in {name}")
        for field in descriptor.fields:
            skipped = field.message_type is not None and field.message_type.full_name in _SKIPPED
            if not skipped and (wanted is None or field.name in wanted):
                fields.append(self._field(field))
        return index

    def _field(self, field: FieldDescriptor) -> tuple[int, str, str, bool, bool, int]:
        message = field.message_type
        if message is not None and message.GetOptions().map_entry:
            value = message.fields_by_name["value"]
            target = self.add(value.message_type) if value.message_type is not None else -1
            return field.number, field.name, "message", True, True, target
        target = self.add(message) if message is not None else -1
        return field.number, field.name, _KINDS[field.type], bool(field.is_repeated), False, target


_builder = _Builder()
ACTIVATION = _builder.add(WorkflowActivation.DESCRIPTOR)
COMPLETION = _builder.add(WorkflowActivationCompletion.DESCRIPTOR)
SCHEMA = _core.Schema(_builder.messages)
