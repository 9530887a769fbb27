"""Temporal failures as error objects, outside workflows; in them it is ``failures.from`` of lua_modules/failures.lua
(spec/workflows.md, section 12; decisions 1 to 3). A test holds the two to the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure

from fleet._core import LuaError
from fleet.activity import payloads

_KINDS = {
    kind.replace("_", ""): kind
    for kind in (
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "INVALID",
        "PERMISSION_DENIED",
        "UNAVAILABLE",
        "INTERNAL",
        "CANCELED",
        "CONFLICT",
        "TIMEOUT",
        "RATE_LIMITED",
        "UNKNOWN",
    )
}

# How other SDKs and the server name kinds that we know.
_TYPES = {
    "ActivityNotRegisteredError": "NOT_FOUND",
    "ActivityNotRegistered": "NOT_FOUND",
    "WorkflowNotRegisteredError": "NOT_FOUND",
    "NamespaceNotFoundError": "NOT_FOUND",
    "NotFoundError": "NOT_FOUND",
}

_TIMEOUTS = ("unknown", "start_to_close", "schedule_to_start", "schedule_to_close", "heartbeat")

_RETRY_STATES = (
    None,
    "in_progress",
    "non_retryable_failure",
    "timeout",
    "maximum_attempts_reached",
    "retry_policy_not_set",
    "internal_server_error",
    "cancel_requested",
)


def failure_error(failure: Failure) -> LuaError:
    """The error object of a failure whose payloads a codec has already decoded."""
    kind = failure.WhichOneof("failure_info")
    stack = failure.stack_trace
    message = failure.message
    match kind:
        case "activity_failure_info" | "child_workflow_execution_failure_info":
            return _wrapped(failure, getattr(failure, kind))
        case "application_failure_info":
            return _restored(failure, failure.application_failure_info)
        case "canceled_failure_info":
            return LuaError("operation canceled", "CANCELED", False, None, stack)
        case "terminated_failure_info":
            return terminated(stack)
        case "timeout_failure_info":
            details = {"timeout_type": _at(_TIMEOUTS, failure.timeout_failure_info.timeout_type) or "unknown"}
            if failure.HasField("cause"):
                details["last_error"] = failure_error(failure.cause).message
            return LuaError(message, "TIMEOUT", False, details, stack)
        case "server_failure_info":
            return LuaError(message, "INTERNAL", not failure.server_failure_info.non_retryable, None, stack)
    if failure.HasField("cause"):
        return failure_error(failure.cause)
    return LuaError(message, "INTERNAL", None, None, stack)


def terminated(stack: str = "") -> LuaError:
    """The error of a workflow that was terminated."""
    return LuaError("workflow terminated", "CANCELED", False, None, stack)


def canonical(kind: str) -> str:
    """A kind in its one spelling: "NotFound" is NOT_FOUND; kinds that we do not know stay as they are (decision 1)."""
    return _KINDS.get(kind.replace("_", "").upper(), kind) or "UNKNOWN"


def _wrapped(failure: Failure, info: Any) -> LuaError:
    """The error of a failed activity or child: that of its cause, and where it came from."""
    cause = failure.cause if failure.HasField("cause") else Failure(message=failure.message)
    error = failure_error(cause)
    where: dict[str, Any] = {"_retry_state": _at(_RETRY_STATES, info.retry_state)}
    if failure.HasField("activity_failure_info"):
        where.update(_wrapper="activity", _activity_id=info.activity_id)
    else:
        where.update(
            _wrapper="child_workflow",
            _workflow_id=info.workflow_execution.workflow_id,
            _run_id=info.workflow_execution.run_id,
            _workflow_type=info.workflow_type.name,
        )
    earlier = error.details if isinstance(error.details, dict) else {}
    error.details = {**earlier, **{name: value for name, value in where.items() if value not in (None, "")}}
    return error


def _restored(failure: Failure, info: ApplicationFailureInfo) -> LuaError:
    details = info.details.payloads
    first = _value(details[0]) if details else None
    records = first.get("errors") if isinstance(first, dict) else None
    record = records[0] if isinstance(records, list) and records else None
    if isinstance(record, dict) and isinstance(record.get("msg"), str):
        return LuaError(
            record["msg"],
            canonical(str(record.get("kind") or "")),
            record.get("retry"),
            record.get("details"),
            str(record.get("stack") or failure.stack_trace),
        )
    kept = None
    if details:
        kept = first if isinstance(first, dict) and len(details) == 1 else {"details": _listed(details)}
    kind = _TYPES.get(info.type, canonical(info.type))
    return LuaError(failure.message, kind, not info.non_retryable, kept, failure.stack_trace)


def _listed(details: Sequence[Payload]) -> list[Any]:
    values = []
    for payload in details:
        try:
            values.append(payloads.decode(payload.SerializeToString()))
        except ValueError:
            encoding = payload.metadata.get("encoding", b"").decode("utf-8", "replace")
            values.append(f"(cannot be read, encoding {encoding})")
    return values


def _value(payload: Payload) -> Any:
    """The value of a payload, None when it cannot be read."""
    try:
        return payloads.decode(payload.SerializeToString())
    except ValueError:
        return None


def _at(names: Sequence[str | None], number: int) -> str | None:
    return names[number] if 0 <= number < len(names) else None
