"""Runs a function of the benchmarks' application on the bare native core, and the same Lua in lupa's runtime."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lupa.lua55

from fleet import _core
from fleet.activity import payloads
from fleet.lua import Programs
from fleet.modules import HOST
from fleet.registry import App

SECONDS = 60.0
"""Budget of one call; more than any benchmark takes, so that no slice ends in the middle."""

_HOST: dict[str, Callable[..., Any]] = {**HOST, "now": time.time_ns, "random_bytes": os.urandom}


class NativeFunction:
    """A function on the core's own engine, without the event loop around it.

    `prepare` gives a fresh state (a state runs one call in its life), `run` calls the function and returns its result.
    """

    def __init__(self, app: App, entry_id: str) -> None:
        self.program = Programs(app).get(entry_id)
        self.state: _core.LuaState | None = None

    def prepare(self) -> _core.LuaState:
        """Close the state of the last call and make one for the next."""
        self.close()
        self.state = _core.LuaState(engine="engine_function", sliced=True, host=lambda name, *args: _HOST[name](*args))
        self.state.set_program(self.program)
        return self.state

    def run(self, *args: Any) -> Any:
        """Call the function in the prepared state. Raises AssertionError if it fails or has not ended in time."""
        assert self.state is not None
        out = self.state.step(["start", [payloads.encode(arg) for arg in args], None], SECONDS)
        assert self.state.stopped and out.get("error") is None, out
        result = out["result"]
        return payloads.decode(result.encode() if isinstance(result, str) else result)

    def close(self) -> None:
        """Free the state."""
        if self.state is not None:
            self.state.close()


def lupa_function(file: Path, name: str) -> Callable[..., Any]:
    """A function of a Lua file that returns a table, in a LuaRuntime of its own: stock Lua 5.5 without limits."""
    module = lupa.lua55.LuaRuntime().execute(file.read_text())
    function: Callable[..., Any] = module[name]
    return function
