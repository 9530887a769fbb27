"""string.* beside patterns: as stock Lua 5.5, bounded, and without addresses (decisions 5 and 11)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from core_scripts import ScriptError
from stock_lua import differences, literal

from fleet import _core

FORMAT_CASES = [
    "case(string.format, '%d %5d|%-5d|%05d|%+d', 1, 2, 3, 4, 5)",
    "case(string.format, '%s %10s|%-10s|%.2s|', 'a', 'b', 'c', 'def')",
    "case(string.format, '%s %s %s %s', nil, true, 1, 1.5)",
    "case(string.format, '%q', 'a\\nb\\0c\"\\\\')",
    "case(string.format, '%q', 1/3)",
    "case(string.format, '%x %X %#x %o', 255, 255, 255, 8)",
    "case(string.format, '%5.2f %e %g %a', 1.005, 12345.678, 1e20, 0.5)",
    "case(string.format, '%c%c%c', 76, 117, 97)",
    "case(string.format, '%i %u', 42, 42)",
    "case(string.format, '%%')",
    "case(string.format, '%')",
    "case(string.format, '%d')",
    "case(string.format, '%d', 'x')",
    "case(string.format, '%d', 1.5)",
    "case(string.format, '%y', 1)",
    "case(string.format, '%10q', 'x')",
    "case(string.format, '%0s', 'x')",
    "case(string.format, '%123d', 1)",
    "case(string.format, '%s', setmetatable({}, { __tostring = function() return 'T' end }))",
    "case(string.format, '%s', setmetatable({}, { __tostring = function() return 1 end }))",
    "case(string.format, '%s', setmetatable({}, { __tostring = function() error('in tostring', 0) end }))",
    "case(string.format, '%5s|', setmetatable({}, { __tostring = function() return 'T' end }))",
    "case(string.format, '%s', 'a\\0b')",
    "case(string.format, '%5s', 'a\\0b')",
    "case(string.format, '%s', ('x'):rep(500))",
    "case(string.format, '%20s', ('x'):rep(500))",
    "case(string.format, '%.20s', ('x'):rep(500))",
    "case(string.format, '%p %5p|%-9p|', nil, 1, true)",
    "case(string.format, {}, 1)",
    "case(string.format)",
]  # fmt: skip


def test_format_does_what_stock_lua_does(run_lua: Any) -> None:
    assert differences(run_lua, FORMAT_CASES) == []


@pytest.mark.parametrize("seed", range(3))
def test_pieces_and_cases_do_what_stock_lua_does(run_lua: Any, seed: int) -> None:
    source = random.Random(seed)

    def one() -> str:
        text = literal(bytes(source.randrange(256) for _ in range(source.choice([0, 1, 5, 40, 600]))))
        i, j = (
            source.choice(["nil", "1", "0", "-1", "-3", "2", "700", "-700", "math.maxinteger", "math.mininteger"])
            for _ in "ij"
        )
        return source.choice(
            [
                f"case(string.sub, {text}, {i}, {j})",
                f"case(string.lower, {text})",
                f"case(string.upper, {text})",
                f"case(string.reverse, {text})",
                f"case(string.rep, {text}, {source.randint(-1, 7)}, {source.choice(['nil', repr('-'), repr('ab')])})",
                f"case(string.byte, {text}, {i}, {j})",
                f"case(string.len, {text})",
            ]
        )

    assert differences(run_lua, [one() for _ in range(1500)]) == []


def test_rep_of_nothing_returns_at_once(run_lua: Any) -> None:
    assert run_lua(
        "return string.rep('', 1e18), string.rep('x', -1), string.rep('', 1e18, '')", instruction_limit=100000
    ) == ["", "", ""]


@pytest.mark.parametrize(
    "script",
    [
        "return #string.rep('x', 1e18)",
        "return #string.rep('x', math.maxinteger, 'yy')",
        "return #string.rep('', 1e18, ',')",
        "return pcall(string.rep, 'x', 1e10)",
        "local s = 'x' while true do s = s:rep(2) end",
        "local s = 'x' while true do s = s .. s end",
        "return string.format(('%s'):rep(100), table.unpack((function() local t, s = {}, ('x'):rep(1e6) "
        "for i = 1, 100 do t[i] = s end return t end)()))",
    ],
)
def test_a_string_past_the_memory_limit_is_a_violation(run_lua: Any, script: str) -> None:
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua(script, memory_limit=16 << 20)
    assert caught.value.kind == "memory"
    assert "memory limit exceeded" in str(caught.value)


def test_a_long_string_within_the_limit_is_made(run_lua: Any) -> None:
    assert run_lua("local s = ('ab'):rep(3e6, ',') return #s, s:sub(1, 5), s:sub(-3)", memory_limit=64 << 20) == [
        8999999,
        "ab,ab",
        ",ab",
    ]


@pytest.mark.parametrize(
    "call", ["s:rep(2)", "s:upper()", "s:reverse()", "s:sub(2)", "('%s!'):format(s)", "s:find('y', 1, true)"]
)
def test_work_on_long_strings_is_charged(run_lua: Any, call: str) -> None:
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua(f"local s = ('x'):rep(1e6) while true do local _ = {call} end", instruction_limit=2_000_000, seconds=60)
    assert caught.value.kind == "instructions"


def test_strings_have_the_safe_functions_as_methods(run_lua: Any) -> None:
    script = """
    string.trim = function(s) return s:match("^%s*(.-)%s*$") end
    return ("x").rep == string.rep, (" a "):trim(), getmetatable(""), pcall(setmetatable, "", {})
    """
    assert run_lua(script)[:3] == [True, "a", False]


def test_errors_name_the_function_and_the_place(run_lua: Any) -> None:
    with pytest.raises(ScriptError, match=r"script.lua:1: bad argument #2 to 'format' \(number expected, got table\)"):
        run_lua("local s = string.format('%d', {})")
    with pytest.raises(ScriptError, match=r"script.lua:1: calling 'rep' on bad self|bad argument #1 to 'rep'"):
        run_lua("local s = ('x'):rep('y')")


def test_dump_says_what_to_do(run_lua: Any) -> None:
    with pytest.raises(_core.LuaViolation, match=r"script.lua:1: string.dump is not available: .*load\(text\)"):
        run_lua("string.dump(function() end)")


def test_utf8_is_charged_and_works(run_lua: Any) -> None:
    assert run_lua("return utf8.len('a\u00e9\u65e5'), (utf8.offset('a\u00e9\u65e5', 3)), utf8.char(26085)") == [
        3,
        4,
        "\u65e5",
    ]
    with pytest.raises(_core.LuaViolation):
        run_lua("local s = ('x'):rep(1e6) while true do utf8.len(s) end", instruction_limit=2_000_000)
