"""Runs scripts on the bare core: a small engine of the tests' own in place of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from core_scripts import ScriptError

from fleet import _core

ENGINE = """
local core, base = ...
local results, failure
local channel = base.channel

core.set_error_maker(function(kind, message) return kind .. ": " .. message end)

local function run(text)
    local chunk = assert(core.chunk("main", base))
    local main = function(...)
        local values = table_pack(chunk(...))
        results = values
        core.stop()
    end
    core.start(main, core)
end

return {
    apply = function(event)
        if event == "run" then run() else core.offer(event_channel, event) end
    end,
    flush = function()
        local r, f = results, failure
        return { results = r, failure = f }
    end,
    failed = function(err, traceback)
        failure = { message = base.type(err) == "string" and err or base.type(err), traceback = traceback }
        core.stop()
    end,
}
""".replace("table_pack", "base.table.pack")

_core.set_modules({"test_engine": _core.compile_lua(ENGINE.encode(), "@test_engine")})


@pytest.fixture
def run_lua() -> Iterator[Callable[..., Any]]:
    """run_lua(text, **LuaState options) -> list of the script's results. The script gets `core` as its argument."""
    states: list[_core.LuaState] = []

    def run(text: str, *, host: Callable[..., Any] | None = None, seconds: float = 5.0, **options: Any) -> list[Any]:
        state = _core.LuaState(engine="test_engine", host=host, **options)
        states.append(state)
        state.set_program(_core.Program({"main": _core.compile_lua(text.encode(), "@script.lua")}, None))
        out = state.step("run", seconds)
        while state.runnable:
            out = state.step(None, seconds)
        if out.get("failure"):
            raise ScriptError(out["failure"]["message"] + "\n" + out["failure"]["traceback"])
        results = out.get("results")
        if results is None:
            raise ScriptError("the script has not ended: it waits for ever")
        if isinstance(results, list):
            return results
        return [results.get(i + 1) for i in range(results["n"])]

    yield run
    for state in states:
        state.close()
