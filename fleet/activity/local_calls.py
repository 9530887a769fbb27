"""What Lua functions ask for that is a matter of calls: other functions, heartbeats of the activity they run for.

``funcs.call`` outside workflows runs the other function in this process (spec/lua_api.md, section 5).
"""

from __future__ import annotations

import asyncio
from typing import Any

from fleet._core import LuaError
from fleet.modules.caller import raw, text

from .failure import FunctionFailed
from .retry import read_retry
from .running import Call


async def call_function(
    call: Call, entry_id: str | bytes, arguments: Any, options: Any, context: Any
) -> bytes | LuaError:
    """Request ``call``: the payload of the result, or the error.

    ``arguments`` is a Lua table of payloads with ``n``, ``context`` a payload, or None to inherit the caller's.
    """
    target = text(entry_id)
    given = options.get("retry") if isinstance(options, dict) else None
    retry = read_retry(given)
    if isinstance(retry, LuaError):
        return retry
    functions = call.functions
    if target in functions.app.processes:
        return LuaError(f"{target} is a process, not a function: start it with process.spawn", "INVALID", False)
    payloads = [raw(arguments[i]) for i in range(1, arguments["n"] + 1)]
    inherited = call.context if context is None else raw(context)
    attempt = 1
    while True:
        try:
            return await functions.start(target, payloads, inherited, activity=call.activity, depth=call.depth + 1)
        except FunctionFailed as failed:
            if retry is None or not retry.again(failed.error, attempt):
                return failed.error
            await asyncio.sleep(retry.delay(attempt))
            attempt += 1


def activity_info(call: Call) -> dict[str, Any] | None:
    """What is known of the activity; None when the call is none."""
    return call.activity.info if call.activity is not None else None


def activity_heartbeat(call: Call, details: Any) -> bool:
    """Record a heartbeat with ``details``, a list of payloads (an empty Lua table is a dict). False if it is none."""
    if call.activity is None:
        return False
    call.activity.heartbeat([raw(payload) for payload in details or ()])
    return True


def activity_details(call: Call) -> list[bytes] | None:
    """The payloads of the last heartbeat; None outside an activity."""
    return call.activity.details if call.activity is not None else None


REQUESTS: dict[str, Any] = {"call": call_function}
CALL_HOST: dict[str, Any] = {
    "activity_info": activity_info,
    "activity_heartbeat": activity_heartbeat,
    "activity_details": activity_details,
}
