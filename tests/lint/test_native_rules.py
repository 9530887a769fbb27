"""The law of core_ext, checked by a machine: Lua raises and yields by longjmp, over whatever stands in its way.

1. A function with the GIL never calls the Lua API: a jump out of it would lose references, or the GIL itself.
2. A C function that Lua calls is nogil.
"""

from __future__ import annotations

import re
from pathlib import Path

CORE = Path(__file__).parents[2] / "core_ext"
FUNCTION = re.compile(r"^cdef [^\n]*?(\w+)\(([^)]*)\)([^\n]*):\n((?:(?:[ \t].*)?\n)*)", re.MULTILINE)
RAISING = re.compile(
    r"\b(luaL_(?!loadbufferx)\w+|lua_(?:error|newtable|createtable|push(?:l|f)?string|pushcclosure|newthread|"
    r"newuserdatauv|rawset\w*|getfield|setfield|gettable|settable|next|concat|call|callk|yield|yieldk))\("
)


def functions() -> list[tuple[str, str, str, str, str]]:
    """(file, name, arguments, clauses, body) of every cdef function."""
    return [
        (path.name, *match.groups())
        for path in sorted(CORE.glob("*.pyx"))
        for match in FUNCTION.finditer(path.read_text() + "\n")
    ]


def test_the_scan_sees_the_functions() -> None:
    names = {name for _, name, *_ in functions()}
    assert {"channel_receive", "core_host", "host_inner", "run_ready"} <= names


def test_functions_with_the_gil_never_call_a_raising_lua_function() -> None:
    wrong = [
        f"{file}: {name} calls {call[1]}"
        for file, name, _, clauses, body in functions()
        if "with gil" in clauses
        for call in [RAISING.search(body)]
        if call
    ]
    assert not wrong, "\n".join(wrong)


def test_functions_that_lua_calls_hold_no_gil() -> None:
    wrong = [
        f"{file}: {name}"
        for file, name, arguments, clauses, _ in functions()
        if arguments.strip() == "lua_State *L" and "noexcept nogil" not in clauses
    ]
    assert not wrong, "\n".join(wrong)
