"""The Lua module ``env``: the variables of the application (spec/lua_api.md, section 14)."""

from __future__ import annotations

from typing import Any

from fleet._core import LuaError
from fleet.registry import EnvError

from .caller import Caller, text


def _namespace(call: Caller) -> str:
    return call.entry_id.partition(":")[0]


def env_get(call: Caller, name: str | bytes) -> str | LuaError:
    """The value of a variable, or the error that says why there is none."""
    try:
        return call.env.get(text(name), _namespace(call))
    except EnvError as error:
        return LuaError(str(error), error.kind, False)


def env_set(call: Caller, name: str | bytes, value: str | bytes) -> bool | LuaError:
    """Store the value of a variable."""
    if isinstance(value, bytes):
        return LuaError(f"the value for {text(name)} is not UTF-8 text", "INVALID", False)
    try:
        call.env.set(text(name), value, _namespace(call))
    except EnvError as error:
        return LuaError(str(error), error.kind, False)
    return True


def env_get_all(call: Caller) -> dict[str, str] | LuaError:
    """All variables that have a value."""
    try:
        return call.env.get_all()
    except EnvError as error:
        return LuaError(str(error), error.kind, False)


CALL_HOST: dict[str, Any] = {"env_get": env_get, "env_set": env_set, "env_get_all": env_get_all}
