"""table.*: as stock Lua 5.5, metamethods and errors included, but bounded; sort is stable (decisions 5 and 11)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from core_scripts import ScriptError
from stock_lua import differences

from fleet import _core

# A table that notes every access, so that the order of reads and writes is compared too.
WATCHED = """
local function watched(content, length)
    local log = {}
    return setmetatable({}, {
        __index = function(_, k) log[#log + 1] = "r" .. tostring(k) return content[k] end,
        __newindex = function(_, k, v) log[#log + 1] = "w" .. tostring(k) content[k] = v end,
        __len = function() log[#log + 1] = "#" return length or #content end,
    }), function(...) return table.concat(log, " "), table.concat(content, ","), ... end
end
local function list(t) local r = {} for i = 1, #t do r[i] = tostring(t[i]) end return table.concat(r, ",") end
"""


def random_case(source: random.Random) -> str:
    content = "{" + ",".join(str(source.randint(0, 9)) for _ in range(source.randint(0, 8))) + "}"
    i, j, k = (source.randint(-2, 10) for _ in range(3))
    call = source.choice(
        [
            f"table.insert(t, {i})",
            f"table.insert(t, {i}, 'x')",
            f"table.insert(t, {i}, 'x', 'y')",
            "table.insert(t)",
            "table.remove(t)",
            f"table.remove(t, {i})",
            f"table.move(t, {i}, {j}, {k})",
            f"table.move(t, {i}, {j}, {k}, {{}})",
            f"table.unpack(t, {i}, {j})",
            "table.unpack(t)",
            f"table.concat(t, '-', {i}, {j})",
            "table.concat(t, ', ')",
        ]
    )
    if source.random() < 0.5:
        return f"case(function() local t, log = watched({content}) return log({call}) end)"
    return f"case(function() local t = {content} return list({{ {call} }}), list(t) end)"


@pytest.mark.parametrize("seed", range(4))
def test_random_calls_do_what_stock_lua_does(run_lua: Any, seed: int) -> None:
    source = random.Random(seed)
    found = differences(run_lua, (random_case(source) for _ in range(2000)), WATCHED)
    # What table.move returns is shown as an address by the one and as a number by the other.
    assert [entry for entry in found if "table: 0x" not in entry[1]] == []


CASES = [
    "case(table.insert, {1, 2, 3}, 5, 1)",
    "case(table.insert, {1, 2, 3}, 0, 1)",
    "case(table.insert, nil, 1)",
    "case(table.insert, 'abc', 1)",
    "case(table.insert, setmetatable({}, { __len = function() return math.maxinteger end }), 1)",
    "case(table.insert, setmetatable({}, { __len = function() return 'x' end }), 1)",
    "case(table.remove, {}, 0)",
    "case(table.remove, {}, 5)",
    "case(table.remove, {1, 2}, 3)",
    "case(table.remove, {1, 2}, 4)",
    "case(table.move, {1, 2, 3}, 1, math.maxinteger, 2)",
    "case(table.move, {1, 2, 3}, math.mininteger, 3, 2)",
    "case(table.move, {1, 2, 3}, 1, 3, math.maxinteger)",
    "case(function() return #table.move({1, 2, 3}, 3, 1, 2) end)",
    "case(table.move, {}, 1, 2)",
    "case(table.move, 1, 1, 2, 3)",
    "case(table.move, {}, 1, 2, 3, 'x')",
    "case(table.concat, {1, 2.5, 'x'}, ', ')",
    "case(table.concat, {1, {}, 3})",
    "case(table.concat, {1, nil, 3})",
    "case(table.concat, {1, true})",
    "case(table.concat, {}, 'x', 1, 0)",
    "case(table.concat, {[math.maxinteger] = 'end'}, 'x', math.maxinteger, math.maxinteger)",
    "case(table.concat, {1, 2, 3}, 4)",
    "case(table.concat, {1, 2, 3}, {})",
    "case(table.concat, 5)",
    "case(table.unpack, {1, 2, 3}, 2)",
    "case(table.unpack, {1, 2, 3}, -1, 1)",
    "case(table.unpack, {}, 1, 1e7)",
    "case(table.unpack, {}, math.mininteger, math.maxinteger)",
    "case(table.unpack, {}, 1, math.maxinteger)",
    "case(table.unpack, {[math.maxinteger] = 7}, math.maxinteger, math.maxinteger)",
    "case(table.unpack, 'abc')",
    "case(function() return #table.create(10), next(table.create(3, 4)) end)",
    "case(table.create, -1)",
    "case(table.create, 1 << 40)",
    "case(table.create, 1, -1)",
    "case(table.pack().n)",
    "case(table.sort, {3, 1, 'x'})",
    "case(table.sort, {{}, {}})",
    "case(table.sort, {1, 2}, 5)",
    "case(table.sort, {1}, 5)",
    "case(table.sort, 5)",
    "case(table.sort, {2, 1}, function() error('inside', 0) end)",
    "case(table.sort, setmetatable({}, { __len = function() return math.maxinteger end }))",
]  # fmt: skip


def test_chosen_calls_do_what_stock_lua_does(run_lua: Any) -> None:
    found = differences(run_lua, CASES)
    # Which of two values stands first in the message depends on the order of comparisons, which is ours.
    assert [entry for entry in found if "attempt to compare" not in entry[1] + entry[2]] == []
    assert all("attempt to compare" in ours for _, stock, ours in found)


def test_unpack_is_also_a_global(run_lua: Any) -> None:
    assert run_lua("return unpack == table.unpack, unpack{1, 2}") == [True, 1, 2]


# ---- sort

SORTS = {
    "integers": "math.random(-100, 100)",
    "floats": "math.random()",
    "both": "math.random(2) == 1 and math.random(50) or math.random(50) + 0.5",
    "strings": "string.rep(string.char(math.random(97, 100)), math.random(0, 12)) .. math.random(9)",
}


@pytest.mark.parametrize("size", [2, 3, 12, 13, 100, 1000])
@pytest.mark.parametrize("kind", SORTS)
@pytest.mark.parametrize("comparator", ["nil", "function(a, b) return a < b end", "function(a, b) return a > b end"])
def test_sort_sorts(run_lua: Any, kind: str, size: int, comparator: str) -> None:
    script = f"""
    local t, count = {{}}, {{}}
    for i = 1, {size} do t[i] = {SORTS[kind]} count[t[i]] = (count[t[i]] or 0) + 1 end
    local before = {comparator}
    table.sort(t, before)
    before = before or function(a, b) return a < b end
    for i = 2, #t do if before(t[i], t[i - 1]) then return "out of order at " .. i end end
    for i = 1, #t do count[t[i]] = count[t[i]] - 1 end
    for k, n in pairs(count) do if n ~= 0 then return "lost " .. tostring(k) end end
    return "sorted"
    """
    assert run_lua(script) == ["sorted"]


def test_sort_is_stable(run_lua: Any) -> None:
    script = """
    local t = {}
    for i = 1, 500 do t[i] = { key = math.random(5), place = i } end
    table.sort(t, function(a, b) return a.key < b.key end)
    for i = 2, #t do
        local a, b = t[i - 1], t[i]
        if a.key > b.key or (a.key == b.key and a.place > b.place) then return i end
    end
    local objects, mt = {}, {}
    mt.__lt = function(a, b) return a.key < b.key end
    for i = 1, 100 do objects[i] = setmetatable({ key = i % 3, place = i }, mt) end
    table.sort(objects)
    for i = 2, #objects do
        local a, b = objects[i - 1], objects[i]
        if b < a or (a.key == b.key and a.place > b.place) then return -i end
    end
    return 0
    """
    assert run_lua(script) == [0]


def test_sort_keeps_zeros_apart_and_survives_nan(run_lua: Any) -> None:
    script = """
    local t = { 0.0, -0.0, 0.0, -1.0 }
    table.sort(t)
    local u = { 3, 0/0, 1, 0/0, 2 }
    table.sort(u)
    return table.concat(t, " "), #u
    """
    assert run_lua(script) == ["-1.0 0.0 -0.0 0.0", 5]


@pytest.mark.parametrize("body", ["true", "false", "math.random() < 0.5", "a ~= b", "nil"])
def test_an_inconsistent_comparator_does_no_harm(run_lua: Any, body: str) -> None:
    script = f"""
    local t, sum = {{}}, 0
    for i = 1, 333 do t[i] = i end
    table.sort(t, function(a, b) return {body} end)
    for i = 1, #t do sum = sum + t[i] end
    return #t, sum
    """
    assert run_lua(script) == [333, 333 * 334 // 2]


def test_a_failing_comparator_leaves_the_table_as_it_was(run_lua: Any) -> None:
    script = """
    local t, n = { 5, 4, 3, 2, 1 }, 0
    local ok, err = pcall(table.sort, t, function(a, b) n = n + 1 if n == 6 then error("enough") end return a < b end)
    return ok, err, table.concat(t, ",")
    """
    assert run_lua(script) == [False, "script.lua:3: enough", "5,4,3,2,1"]


def test_a_comparator_may_change_the_table(run_lua: Any) -> None:
    script = """
    local t = { 5, 4, 3, 2, 1 }
    table.sort(t, function(a, b) t[1], t[2], t[3] = nil, {}, "x" collectgarbage() return a < b end)
    return table.concat(t, ",")
    """
    assert run_lua(script) == ["1,2,3,4,5"]


def test_a_comparator_that_waits_gets_an_error(run_lua: Any) -> None:
    with pytest.raises(ScriptError, match=r"cannot wait here: a table.sort comparator"):
        run_lua("local ch = channel.new() table.sort({ 2, 1 }, function() return ch:receive() end)")


def test_sorting_a_sorted_table_compares_each_pair_once(run_lua: Any) -> None:
    script = """
    local t, n = {}, 0
    for i = 1, 1024 do t[i] = i end
    table.sort(t, function(a, b) n = n + 1 return a < b end)
    return n
    """
    assert run_lua(script) == [1023]


# ---- bounds


@pytest.mark.parametrize(
    "script",
    [
        "table.move({}, 1, 1 << 40, 2)",
        "table.move({}, 1, 1 << 40, 1, {})",
        "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end",
        "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.concat(t) end",
        "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.sort(t) end",
        "local t = {} for i = 1, 1e5 do t[i] = i end while true do select('#', table.unpack(t)) end",
        "while true do table.create(100000) end",
        "table.concat(setmetatable({}, { __len = function() return 1 << 50 end, __index = function() return '' end }))",
        "table.insert(setmetatable({}, { __len = function() return 1 << 50 end }), 1, 'x')",
        "table.remove(setmetatable({}, { __len = function() return 1 << 50 end }), 1)",
        "table.sort(setmetatable({}, { __len = function() return 1 << 30 end }))",
        "local t = {} for i = 1, 1e4 do t[i] = i end table.sort(t, function() while true do end end)",
        "local mt = {} mt.__lt = function() while true do end end "
        "table.sort({ setmetatable({}, mt), setmetatable({}, mt) })",
    ],
)
@pytest.mark.parametrize("swallowed", [False, True])
def test_long_work_on_tables_ends_as_a_violation(run_lua: Any, script: str, swallowed: bool) -> None:
    if swallowed:
        script = f"while true do pcall(function() {script} end) end"
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua(script, instruction_limit=10_000_000, seconds=60)
    assert caught.value.kind == "instructions"


@pytest.mark.parametrize("script", ["table.move({}, 1, 1 << 40, 2)", "table.move({}, 1, 1 << 40, 1, {})"])
def test_long_work_on_tables_ends_by_the_clock_too(run_lua: Any, script: str) -> None:
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua(script, seconds=0.1)
    assert caught.value.kind == "time"


def test_create_past_the_memory_limit_is_a_violation(run_lua: Any) -> None:
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua("return table.create(1 << 30)", memory_limit=8 << 20)
    assert caught.value.kind == "memory"
