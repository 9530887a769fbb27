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
    exchange = call.exchange
    return _none() if exchange is None else exchange.operations[name](exchange, call, *arguments)


async def request(call: Caller, name: str, *arguments: Any) -> Any:
    """An operation that waits for the client. Raises RequestFailed."""
    exchange = call.exchange
    return _none() if exchange is None else await exchange.requests[name](exchange, call, *arguments)


CALL_HOST: dict[str, Any] = {"exchange": operate}
REQUESTS: dict[str, Any] = {"exchange": request}
