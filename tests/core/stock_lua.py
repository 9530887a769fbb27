"""The same cases on stock Lua 5.5 and on the core: what our own libraries are measured against."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import lupa.lua55

# Defines case(f, ...): calls f protected and notes its results, or its error without the position.
PRELUDE = r"""
local function show(...)
    local out = {}
    for i = 1, select("#", ...) do
        local v = (select(i, ...))
        if math.type(v) then out[i] = math.type(v) .. ":" .. tostring(v)
        elseif type(v) == "string" then out[i] = (string.format("%q", v):gsub("\n", "n"):gsub("\r", "r"))
        else out[i] = tostring(v) end
    end
    return table.concat(out, ",")
end
local results = {}
local function case(f, ...)
    local r = table.pack(pcall(f, ...))
    if r[1] then results[#results + 1] = show(table.unpack(r, 2, r.n))
    else results[#results + 1] = "error: " .. tostring(r[2]):gsub("^[^:]*:%d+: ", "") end
end
"""
EPILOGUE = "\nreturn table.concat(results, '\\n')"


def literal(data: bytes) -> str:
    """A Lua string literal for any bytes."""
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'


def differences(run_lua: Callable[..., Any], cases: Iterable[str], prelude: str = "") -> list[tuple[str, str, str]]:
    """(case, stock outcome, our outcome) of every case that differs. A case is a Lua statement that calls case(...)."""
    lines = list(cases)
    text = PRELUDE + prelude + "\n".join(lines) + EPILOGUE
    stock = lupa.lua55.LuaRuntime(encoding=None).execute(text.encode()).split(b"\n")
    (result,) = run_lua(text)
    ours = (result.encode() if isinstance(result, str) else result).split(b"\n")
    assert len(stock) == len(ours) == len(lines), "a case must note exactly one outcome"
    return [
        (line, expected.decode("latin-1"), got.decode("latin-1"))
        for line, expected, got in zip(lines, stock, ours, strict=True)
        if expected != got
    ]
