"""How a failed function looks to its callers: in Python, and to Temporal (decisions 1 to 3).

What Temporal gets is what ``failures.to`` of lua_modules/failures.lua makes of an error in a workflow.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.exceptions import ApplicationError

from fleet._core import LuaError
from fleet.modules.caller import text


class FunctionFailed(Exception):
    """A Lua function that failed; ``error`` has kind, message, retryable, details and the Lua stack."""

    def __init__(self, error: LuaError) -> None:
        super().__init__(text(error.message))
        self.error = error


def crashed(entry_id: str, report: str) -> LuaError:
    """The error of a function that the engine ended: no memory, no stack, no end in C, or a file that does not load.

    ``report`` is the text with the Lua traceback. Temporal may retry it: a deployment can bring the fix (decision 2).
    """
    message, _, stack = report.partition("\nstack traceback:")
    kept = f"stack traceback:{stack}" if stack else ""
    # What loader.lua says when the entry's method is missing (spec/registry.md, section 2).
    missing = re.match(r'method ".*" not found in module', message)
    return LuaError(f"{entry_id}: {message}", "NOT_FOUND" if missing else "INTERNAL", False, None, kept, True)


class LuaApplicationError(ApplicationError):
    """The failure of an activity whose stack trace is that of the Lua code.

    The SDK takes ``failure`` as it is, so that the stack is the script's and not that of the Python that ran it.
    """

    def __init__(self, error: LuaError) -> None:
        record = _record(error)
        kind = record["kind"]
        final = error.retryable is False and not error.thrown
        super().__init__(record["msg"], {"errors": [record]}, type=kind, non_retryable=final)
        self._failure = Failure(
            message=record["msg"],
            source="lua-fleet",
            stack_trace=record.get("stack", ""),
            application_failure_info=ApplicationFailureInfo(
                type=kind,
                non_retryable=final,
                details=Payloads(payloads=[_encoded(record)]),
            ),
        )


def _record(error: LuaError) -> dict[str, Any]:
    record = {
        "msg": text(error.message or ""),
        "kind": text(error.kind or "UNKNOWN"),
        "retry": error.retryable,
        "details": error.details,
        "stack": text(error.stack) if error.stack else None,
    }
    return {name: value for name, value in record.items() if value is not None}


def _encoded(record: dict[str, Any]) -> Payload:
    try:
        data = orjson.dumps({"errors": [record]}, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        # Details that JSON cannot hold (bytes) are lost rather than the failure.
        record = {name: value for name, value in record.items() if name != "details"}
        data = orjson.dumps({"errors": [record]})
    return Payload(metadata={"encoding": b"json/plain"}, data=data)
