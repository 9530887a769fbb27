"""What the Temporal server refuses, as errors that scripts understand (spec/workflows.md, section 9; decision 20)."""

from __future__ import annotations

from temporalio.service import RPCError, RPCStatusCode

from fleet.modules import RequestFailed

# Kind, and whether the same call may succeed later.
_KINDS: dict[RPCStatusCode, tuple[str, bool | None]] = {
    RPCStatusCode.NOT_FOUND: ("NOT_FOUND", False),
    RPCStatusCode.ALREADY_EXISTS: ("ALREADY_EXISTS", False),
    RPCStatusCode.INVALID_ARGUMENT: ("INVALID", False),
    RPCStatusCode.FAILED_PRECONDITION: ("INVALID", False),
    RPCStatusCode.OUT_OF_RANGE: ("INVALID", False),
    RPCStatusCode.UNIMPLEMENTED: ("INVALID", False),
    RPCStatusCode.PERMISSION_DENIED: ("PERMISSION_DENIED", False),
    RPCStatusCode.UNAUTHENTICATED: ("PERMISSION_DENIED", False),
    RPCStatusCode.RESOURCE_EXHAUSTED: ("RATE_LIMITED", True),
    RPCStatusCode.UNAVAILABLE: ("UNAVAILABLE", True),
    RPCStatusCode.CANCELLED: ("UNAVAILABLE", True),
    RPCStatusCode.DEADLINE_EXCEEDED: ("TIMEOUT", True),
    RPCStatusCode.ABORTED: ("CONFLICT", True),
}

TRANSIENT = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.DATA_LOSS,
        # A key is being replaced (auth.api_key_file).
        RPCStatusCode.UNAUTHENTICATED,
    }
)
"""Answers after which a question that changes nothing is asked again."""

_TOO_LARGE = ("larger than max", "exceeds limit", "exceeds size limit", "message length too large")


def refused(error: RPCError, what: str) -> RequestFailed:
    """The error for a script whose request the server refused, or that did not reach it.

    what: what could not be done, such as ``cannot start app:order as order-1``.
    """
    kind, retryable = _KINDS.get(error.status, ("INTERNAL", None))
    text = error.message
    if any(phrase in text for phrase in _TOO_LARGE):
        hint = "its data is larger than the server allows (2 MB a value, 4 MB a request, unless configured otherwise)"
        return RequestFailed("INVALID", f"{what}: {hint}: {text}")
    if "signal events" in text:
        return RequestFailed("RATE_LIMITED", f"{what}: its run has had as many signals as the server allows")
    if "search attribute" in text:
        text += "; declare it as search_attributes of the temporal.client, and register it on the server"
    if kind == "UNAVAILABLE":
        text = f"no answer from the Temporal server: {text}"
    return RequestFailed(kind, f"{what}: {text}", retryable=retryable)
