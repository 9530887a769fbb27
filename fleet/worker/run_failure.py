"""How a failed workflow run looks to whoever started it: kind, message and the Lua stack, out of the SDK's errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temporalio.client import WorkflowContinuedAsNewError, WorkflowFailureError
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    FailureError,
    ServerError,
    TerminatedError,
    TimeoutError,
)

from fleet._core import LuaError


@dataclass(frozen=True)
class RunFailure:
    """Why something failed.

    Attributes:
        kind: error kind such as ``INTERNAL``.
        message: what was said.
        retryable: True, False, or None when nobody said.
        details: what the error carries, or None.
        stack: the Lua stack, or "".
    """

    kind: str
    message: str
    retryable: bool | None = None
    details: Any = None
    stack: str = ""

    def as_json(self) -> dict[str, Any]:
        """For scripts: only what is there."""
        facts = {"kind": self.kind, "message": self.message, "retryable": self.retryable, "details": self.details}
        if self.stack:
            facts["stack"] = self.stack
        return {name: value for name, value in facts.items() if value is not None}

    def render(self) -> str:
        """``KIND: message`` with the Lua stack below it."""
        return f"{self.kind}: {self.message}{indented(self.stack)}"


def indented(stack: str) -> str:
    """A Lua stack as lines below a message; empty for an empty one."""
    lines = [line for line in stack.splitlines() if line.strip()]
    return "".join(f"\n    {'  ' if line.startswith(chr(9)) else ''}{line.strip()}" for line in lines)


def run_failure(error: BaseException) -> RunFailure:
    """What the error of a run's end says (decisions 1 and 2)."""
    if isinstance(error, WorkflowFailureError):
        return run_failure(error.cause)
    if isinstance(error, WorkflowContinuedAsNewError):
        return RunFailure("UNKNOWN", "the run continued as new")
    stack = error.failure.stack_trace if isinstance(error, FailureError) and error.failure else ""
    if isinstance(error, ApplicationError):
        return _restored(error, stack)
    text = error.message if isinstance(error, FailureError) else str(error)
    if isinstance(error, CancelledError):
        return RunFailure("CANCELED", text or "canceled", False, stack=stack)
    if isinstance(error, TerminatedError):
        return RunFailure("CANCELED", f"terminated: {text}" if text else "terminated", False, stack=stack)
    if isinstance(error, TimeoutError):
        return RunFailure("TIMEOUT", text or "timed out", False, stack=stack)
    if isinstance(error, ServerError):
        return RunFailure("INTERNAL", text, not error.non_retryable, stack=stack)
    if error.__cause__ is not None:
        return run_failure(error.__cause__)
    return RunFailure("INTERNAL", text or type(error).__name__, stack=stack)


def lua_failure(error: LuaError) -> RunFailure:
    """What the error of a Lua function says."""

    def text(value: str | bytes | None) -> str:
        return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value or ""

    kind = text(error.kind) or "UNKNOWN"
    return RunFailure(kind, text(error.message), error.retryable, error.details, text(error.stack))


def _restored(error: ApplicationError, stack: str) -> RunFailure:
    """An application failure; what Lua said of it is in its first detail (lua_modules/failures.lua)."""
    first = error.details[0] if error.details else None
    records = first.get("errors") if isinstance(first, Mapping) else None
    if isinstance(records, list) and records and isinstance(records[0], Mapping):
        record = records[0]
        return RunFailure(
            str(record.get("kind") or error.type or "UNKNOWN"),
            str(record.get("msg", error.message)),
            record.get("retry"),
            record.get("details"),
            str(record.get("stack") or stack),
        )
    details = list(error.details) or None
    return RunFailure(error.type or "UNKNOWN", error.message, not error.non_retryable, details, stack)
