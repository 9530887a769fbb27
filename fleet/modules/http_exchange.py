"""The Lua module ``http``: what it asks of the HTTP exchange that the call answers (spec/lua_api.md, section 15)."""

from __future__ import annotations

from typing import Any

from fleet._core import LuaError

from .caller import Caller


def _none() -> LuaError:
    return LuaError(
        "no HTTP request context found: http.request and http.response work in a function that an http.endpoint names,"
        " not in functions that it calls",
        "INTERNAL",
        False,
    )


def operate(call: Caller, name: str, *arguments: Any) -> Any:
    """An operation that needs no waiting: its result, or the error."""
    return _none() if call.exchange is None else call.exchange.operations[name](call, *arguments)


async def request(call: Caller, name: str, *arguments: Any) -> Any:
    """An operation that waits for the client. Raises RequestFailed."""
    return _none() if call.exchange is None else await call.exchange.requests[name](call, *arguments)


CALL_HOST: dict[str, Any] = {"exchange": operate}
REQUESTS: dict[str, Any] = {"exchange": request}
