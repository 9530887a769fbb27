"""Plain Lua in our states against the same VM under lupa: what budget, memory limit and fixed key order cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from functions import NativeFunction, lupa_function

PORTABLE = Path(__file__).parent / "app" / "portable.lua"

CASES = {
    "arithmetic": ("Lua: loop with arithmetic, per iteration", 200_000),
    "small_tables": ("Lua: make a table of 3 fields", 50_000),
    "iterate": ("Lua: pairs() over 20 string keys, per pair", 50_000),
    "resume_yield": ("Lua: coroutine.resume and yield", 50_000),
    "create_coroutines": ("Lua: coroutine.create and run to its end", 10_000),
}


@pytest.mark.parametrize("name", CASES)
def test_in_a_state_of_ours(measure: Any, app: Any, name: str) -> None:
    group, count = CASES[name]
    function = NativeFunction(app, f"bench:{name}")

    def setup() -> tuple[tuple[int], dict[str, Any]]:
        function.prepare()
        return (count,), {}

    measure(group, "fleet", function.run, operations=count, setup=setup)
    function.close()


@pytest.mark.parametrize("name", CASES)
def test_in_lupa(measure: Any, name: str) -> None:
    group, count = CASES[name]
    function = lupa_function(PORTABLE, name)
    measure(group, "plain Lua (lupa)", lambda: function(count), operations=count)
