"""The order of keys and what is shown of values: the same on every replay (decisions 5 and 6)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from core_scripts import ScriptError
from stock_lua import literal

from fleet import _core

SHOWN = """
local function shown(...)
    local r = {}
    for k in ... do r[#r + 1] = tostring(k) end
    return table.concat(r, " ")
end
"""


def test_the_order_of_all_kinds_of_keys(run_lua: Any) -> None:
    script = """
    local first, second = {}, {}
    local names = { [first] = "first", [second] = "second" }
    local t = {
        [second] = 1, [string.rep] = 1, [first] = 1, [true] = 1, [false] = 1, b = 1, a = 1, [""] = 1, ["a\\0"] = 1,
        aa = 1, B = 1, ["\\xff"] = 1, [2.5] = 1, [-0.5] = 1, [1e300] = 1, [math.huge] = 1, [-math.huge] = 1,
        [3] = 1, [-7] = 1, [1] = 1, [0] = 1, [math.mininteger] = 1, [math.maxinteger] = 1, [2^53] = 1,
        [coroutine.create] = 1,
    }
    local out = {}
    for k in pairs(t) do out[#out + 1] = names[k] or type(k) == "string" and string.format("%q", k) or tostring(k) end
    return table.concat(out, " ")
    """
    expected = (
        "-9223372036854775808 -7 0 1 3 9007199254740992 9223372036854775807 -inf -0.5 2.5 1e+300 inf "
        '"" "B" "a" "a\\0" "aa" "b" "\\255" false true first second '
        "function: builtin: coroutine.create function: builtin: string.rep"
    )
    (result,) = run_lua(script)
    assert (result if isinstance(result, str) else result.decode("latin-1")) == expected.replace("\\255", "\xff")


def random_key(kind: str, source: random.Random) -> int | float | str:
    number = source.randint(-(10**12), 10**12)
    text = "".join(source.choice("ab\x00z") for _ in range(source.randint(0, 20)))
    if kind == "integers":
        return number
    return text + str(number) if kind == "strings" else source.choice([number, number + 0.5, text])


def assignments(keys: list[int | float | str]) -> str:
    return " ".join(f"t[{literal(key.encode()) if isinstance(key, str) else key}] = 1" for key in keys)


@pytest.mark.parametrize("size", [0, 1, 2, 7, 12, 13, 100, 1000])
@pytest.mark.parametrize("kind", ["strings", "integers", "mixed"])
def test_the_order_does_not_depend_on_how_a_table_was_filled(run_lua: Any, kind: str, size: int) -> None:
    source = random.Random(size)
    found: dict[int | float | str, None] = {}
    while len(found) < size:
        found[random_key(kind, source)] = None
    keys = list(found)
    script = "local r = {}\n"
    for _ in range(2):
        source.shuffle(keys)
        script += f"do local t = {{}} {assignments(keys)} r[#r + 1] = shown(pairs(t)) r[#r + 1] = shown(next, t) end\n"
    (result,) = run_lua(SHOWN + script + "return r")
    expected = [
        *(str(key) for key in sorted(key for key in keys if isinstance(key, int))),
        *(format(key, ".17g") for key in sorted(key for key in keys if isinstance(key, float))),
        *sorted(key for key in keys if isinstance(key, str)),
    ]
    assert result == [" ".join(expected)] * 4


def test_fields_may_be_changed_and_removed_on_the_way(run_lua: Any) -> None:
    script = """
    local out = {}
    for _, way in ipairs{ pairs, function(t) return next, t end } do
        local t = {}
        for i = 1, 20 do t["k" .. string.format("%02d", i)] = i end
        for k, v in way(t) do
            out[#out + 1] = k
            t[k] = nil
            t["k02"] = nil          -- a key ahead that vanishes is skipped
            if t["k05"] then t["k05"] = "changed" end
            if k == "k05" then out[#out + 1] = v end
        end
        out[#out + 1] = tostring(next(t))
    end
    return table.concat(out, " ", 1, #out // 2), table.concat(out, " ", #out // 2 + 1)
    """
    by_pairs, by_next = run_lua(script)
    assert by_pairs == by_next
    assert by_pairs.split() == ["k01", "k03", "k04", "k05", "changed", *(f"k{i:02d}" for i in range(6, 21)), "nil"]


def test_removing_from_an_array_on_the_way(run_lua: Any) -> None:
    script = """
    local t, seen = { 1, 2, 3, 4, 5, 6 }, {}
    for i in pairs(t) do
        seen[#seen + 1] = i
        t[i] = nil
        t[4] = nil
    end
    return seen, next(t)
    """
    assert run_lua(script) == [[1, 2, 3, 5, 6], None]


def test_appending_to_an_array_on_the_way_ends(run_lua: Any) -> None:
    assert run_lua("local t = {1,2,3} for i, v in pairs(t) do t[#t + 1] = v end return #t") == [6]


def test_interleaved_and_nested_next(run_lua: Any) -> None:
    script = """
    local a, b, out = { x = 1, y = 2, z = 3 }, { 10, 20, p = 1 }, {}
    for k in next, a do
        for k2 in next, b do out[#out + 1] = k .. tostring(k2) end
        if next(a) == nil then out[#out + 1] = "never" end
        a[k] = nil
    end
    return table.concat(out, " "), next(a)
    """
    assert run_lua(script) == ["x1 x2 xp y1 y2 yp z1 z2 zp", None]


def test_a_traversal_begun_anew_sees_new_keys(run_lua: Any) -> None:
    script = """
    local t, out = { b = 1, d = 1 }, {}
    local k = next(t)
    k = next(t, k)              -- left here
    t.a, t.c, t.e = 1, 1, 1
    for key in next, t do out[#out + 1] = key end
    return table.concat(out, " ")
    """
    assert run_lua(script) == ["a b c d e"]


def test_next_takes_any_key_of_the_table(run_lua: Any) -> None:
    script = """
    local t = { 10, 20, 30, x = 1, y = 2 }
    return (next(t, 2)), (next(t, 3)), (next(t, "x")), (next(t, "y")), (next(t, 2.0))
    """
    assert run_lua(script) == [3, "x", "y", None, 3]


def test_next_refuses_a_key_that_is_not_there(run_lua: Any) -> None:
    ok, message = run_lua("local t = {a = 1} return pcall(function() return next(t, 'b') end)")
    assert not ok
    assert message == "script.lua:1: invalid key to 'next'"
    with pytest.raises(ScriptError, match=r"bad argument #1 to 'next' \(table expected, got nil\)"):
        run_lua("next(nil)")
    with pytest.raises(ScriptError, match=r"bad argument #1 to 'pairs' \(table expected, got nil\)"):
        run_lua("for _ in pairs(nil) do end")


def test_emptiness_and_a_single_key(run_lua: Any) -> None:
    assert run_lua("return next({}), next({ x = 1 }), next({ 7 })") == [None, "x", 1, 7]


def test_pairs_honours_the_metamethod_and_may_wait_in_it(run_lua: Any) -> None:
    script = """
    local ch = channel.new()
    coroutine.spawn(function() ch:send("from afar") end)
    local t = setmetatable({}, { __pairs = function(self)
        local value = ch:receive()
        return function(_, k) if not k then return 1, value end end, self, nil
    end })
    for k, v in pairs(t) do return k, v end
    """
    assert run_lua(script) == [1, "from afar"]


def test_the_iterator_of_pairs_may_be_called_by_hand(run_lua: Any) -> None:
    script = """
    local t = { 1, 2, x = 3 }
    local f, s, k = pairs(t)
    return (f(s, k)), (f(s, 2)), (f(s, "x")), (f(s, nil)), (f({ q = 1 }, nil))
    """
    assert run_lua(script) == [1, "x", None, 1, "q"]


def test_next_loops_are_not_quadratic(run_lua: Any) -> None:
    script = """
    local t = {}
    for i = 1, %d do t["key" .. i] = i end
    local n = 0
    for k in next, t do n = n + 1 end
    return n
    """
    assert run_lua(script % 20000, instruction_limit=3_000_000) == [20000]


def test_sorting_of_keys_is_charged(run_lua: Any) -> None:
    script = """
    local t = {}
    for i = 1, 10000 do t["key" .. i] = i end
    while true do pcall(pairs, t) end
    """
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua(script, instruction_limit=2_000_000)
    assert caught.value.kind == "instructions"


def test_what_next_remembers_goes_with_the_table(run_lua: Any) -> None:
    script = """
    for i = 1, 20000 do
        local t = { a = ("x"):rep(1000) .. i, b = 2, c = 3 }
        next(t, next(t))        -- given up in the middle
    end
    return true
    """
    assert run_lua(script, memory_limit=2 << 20) == [True]


# ---- how values are shown


def test_objects_are_shown_by_numbers_of_their_own(run_lua: Any) -> None:
    script = """
    local unseen = {}
    local a, b = {}, function() end
    return tostring(a), tostring(b), tostring(a), tostring(coroutine.create(b)), tostring(channel.new()),
        string.format("%s|%p|%10p|%-12p|", a, a, nil, b), print == nil
    """
    assert run_lua(script) == [
        "table: 0x00000001", "function: 0x00000002", "table: 0x00000001", "thread: 0x00000003", "channel: 0x00000004",
        "table: 0x00000001|0x00000001|    (null)|0x00000002  |", True,
    ]  # fmt: skip


def test_built_in_functions_are_shown_by_name(run_lua: Any) -> None:
    script = (
        "return tostring(string.rep), tostring(pairs), tostring(math.floor), ('%p'):format(next), tostring((ipairs{}))"
    )
    result = run_lua(script)
    assert result[:4] == [
        "function: builtin: string.rep", "function: builtin: pairs", "function: builtin: math.floor", "builtin: next",
    ]  # fmt: skip
    assert result[4].startswith("function: builtin: ")


def test_tostring_honours_metamethods(run_lua: Any) -> None:
    script = """
    local named = setmetatable({}, { __name = "Order" })
    local shown = setmetatable({}, { __tostring = function() return "shown" end })
    local broken = setmetatable({}, { __tostring = function() return {} end })
    return tostring(named), tostring(shown), ("%s and %s"):format(shown, named), pcall(tostring, broken)
    """
    assert run_lua(script) == [
        "Order: 0x00000001", "shown", "shown and Order: 0x00000001", False, "'__tostring' must return a string",
    ]  # fmt: skip


def test_two_states_show_and_order_alike(run_lua: Any) -> None:
    script = """
    local t, out = {}, {}
    for i = 1, 200 do t[{}] = i; t[function() return i end] = i; t[coroutine.create(print or next)] = i end
    for k, v in pairs(t) do out[#out + 1] = tostring(k) .. "=" .. v end
    return table.concat(out, " ")
    """
    assert run_lua(script) == run_lua(script)
    assert run_lua("local spare = {}\n" + script) == run_lua(script)


def test_strings_have_no_identity(run_lua: Any) -> None:
    assert run_lua("return ('%p %p'):format('short', ('long'):rep(50))") == ["(null) (null)"]
