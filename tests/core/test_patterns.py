"""Patterns: what stock Lua 5.5 does, error texts included, and never longer than the budget allows (decision 11)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from core_scripts import ScriptError
from stock_lua import differences, literal

from fleet import _core

GMATCH = """
local function gmatch(s, p, init)
    local out, n = {}, 0
    for a, b, c in string.gmatch(s, p, init) do
        n = n + 1
        out[n] = tostring(a) .. "|" .. tostring(b) .. "|" .. tostring(c)
        if n > 40 then break end
    end
    return table.concat(out, ";")
end
local function joined(...) return select("#", ...) > 1 and table.concat({ ... }, "/") or ... end
"""
ITEMS = [
    "a",
    "b",
    ".",
    "%a",
    "%d",
    "%w",
    "%s",
    "%p",
    "%A",
    "%W",
    "%x",
    "%g",
    "%c",
    "%l",
    "%u",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[%d_]",
    "[]]",
    "[^]]",
    "[a-]",
    "%b()",
    "%bab",
    "%f[%w]",
    "%f[^a]",
    "()",
]
ODD_ITEMS = [
    *ITEMS,
    *[
        "(",
        ")",
        "%1",
        "%2",
        "%0",
        "^",
        "$",
        "%.",
        "%%",
        "[",
        "%",
        "\x00",
        "é",
        "%z",
        "%f",
        "%b",
        "%ba",
        "-",
        "]",
        "[%",
        "[a",
        "[^",
        "1",
        "[a-%]",
        "[%a-z]",
        "%Z",
        "%G",
    ],
]
MARKS = ["", "", "", "*", "+", "-", "?"]
SUBJECT = "aabbcABC012 ()._-\0\xe9\n1"
TEMPLATES = ["x", "%0%0", "<%1>", "%2", "%%", "%", "%a", "", "-%1-%0"]


def random_pattern(source: random.Random) -> str:
    pattern = "^" if source.random() < 0.15 else ""
    for _ in range(source.randint(0, 6)):
        item = source.choice(ITEMS if source.random() < 0.8 else ODD_ITEMS)
        if source.random() < 0.25:
            item = "(" + item + source.choice(MARKS) + ")"
        pattern += item + source.choice(MARKS)
    return pattern + ("$" if source.random() < 0.15 else "")


def random_case(source: random.Random) -> str:
    subject = literal("".join(source.choice(SUBJECT) for _ in range(source.randint(0, 14))).encode("latin-1"))
    pattern = literal(random_pattern(source).encode("latin-1"))
    start = source.choice(["nil", "1", "3", "-2", "0", "20", "-20"])
    return source.choice(
        [
            f"case(string.find, {subject}, {pattern}, {start})",
            f"case(string.find, {subject}, {pattern}, {start}, true)",
            f"case(string.match, {subject}, {pattern}, {start})",
            f"case(gmatch, {subject}, {pattern}, {start})",
            f"case(string.gsub, {subject}, {pattern}, {literal(source.choice(TEMPLATES).encode())}, "
            f"{source.choice(['nil', '0', '1', '2', '-1'])})",
            f"case(string.gsub, {subject}, {pattern}, joined)",
            f"case(string.gsub, {subject}, {pattern}, {{ a = 'A', b = false, c = 1, [1] = 'one', ab = 'AB' }})",
        ]
    )


@pytest.mark.parametrize("seed", range(8))
def test_random_patterns_do_what_stock_lua_does(run_lua: Any, seed: int) -> None:
    source = random.Random(seed)
    assert differences(run_lua, (random_case(source) for _ in range(2500)), GMATCH) == []


BROKEN = ["[a", "[]", "[^]", "[%", "%", "(", ")", "(()", "a%", "%f", "%fa", "%b", "%bx", "%1", "(%1)", "(a%2)"]
CASES = [
    # the frontier, at both ends
    "case(string.gsub, 'THE (quick) fox', '%f[%a]%a+%f[%A]', string.lower)",
    "case(string.find, 'THE (quick) fox', '%f[%z]')",
    # balanced text
    "case(string.match, 'f(a(b)c)d)', '%b()')",
    "case(string.match, 'xx', '%bxx')",
    "case(string.gsub, 'a(b(c)', '%b()', '')",
    # captures: nested, positions, back references
    "case(string.match, 'key = value', '^(%w+)%s*=%s*(%w+)$')",
    "case(string.match, 'hello', '()ll()')",
    "case(string.match, '((a)(b(c)))', '((%((%a)%)).*)')",
    "case(string.match, [[\"it's\"]], [[([\"'])(.-)%1]])",
    "case(string.match, 'aa', '()%1')",
    "case(string.gsub, 'abc', '()', '%1')",
    "case(string.gsub, 'abc', '%w', '%0%0', 2)",
    "case(string.gsub, 'hello world', '(o)(%s?)', '%2%1')",
    # anchors
    "case(string.gsub, 'aaa', '^a', 'b')",
    "case(string.find, 'a$b', 'a$b')",
    "case(string.find, 'a^b', 'a^b')",
    # empty matches
    "case(string.gsub, 'abc', '', '-')",
    "case(string.gsub, 'hello world', 'o*', 'x')",
    "case(string.gsub, '', '.*', 'x')",
    "case(string.find, '', '')",
    "case(string.find, 'abc', '', 10)",
    "case(string.find, 'abc', '', 4)",
    "case(string.find, 'a+b', '+', 1, true)",
    "case(string.find, 'abc', 'c', -1)",
    # replacements
    "case(string.gsub, 'x', 'x', 5)",
    "case(string.gsub, 'x', 'x', 1.5)",
    "case(string.gsub, 'x', 'x', function() return {} end)",
    "case(string.gsub, 'x', 'x', function() return nil end)",
    "case(string.gsub, 'x', 'x', function() error('inside', 0) end)",
    "case(string.gsub, 'abc', '%w', setmetatable({}, { __index = function(_, k) return k .. k end }))",
    "case(string.gsub, 'abc', 'a', true)",
    "case(string.gsub, 12345, 3, 'x')",
    "case(string.gsub, 'abc', '(a)(b)(c)', '%4')",
    # what is wrong with a pattern
    *(
        f"case(string.{function}, 'abc', '{pattern}')"
        for function in ("find", "match")
        for pattern in BROKEN
    ),
    "case(string.find, 'a', ('()'):rep(33))",
    "case(string.find, 'a', ('()'):rep(32))",
    "case(string.match, ('a'):rep(300), ('a?'):rep(300) .. 'b')",
    "case(string.match, ('a'):rep(199), ('(a'):rep(32))",
    "case(string.find, ('a'):rep(1000), ('a?'):rep(199))",
    "case(string.find, ('a'):rep(1000), ('a?'):rep(200))",
    "case(string.find, nil, 'a')",
    "case(string.find, 'a')",
    "case(string.find, 'a', {})",
    "case(string.gsub, 'a', 'a')",
    "case(string.gmatch, 'a')",
]  # fmt: skip


def test_chosen_patterns_do_what_stock_lua_does(run_lua: Any) -> None:
    assert differences(run_lua, CASES, GMATCH) == []


@pytest.mark.parametrize("name", "acdglpsuwxzACDGLPSUWXZ.")
def test_every_class_on_every_byte(run_lua: Any, name: str) -> None:
    pattern = "." if name == "." else f"[%{name}]"
    cases = [f"case(string.find, string.char({byte}), '{pattern}')" for byte in range(256)]
    assert differences(run_lua, cases) == []


# ---- bounds


@pytest.mark.parametrize(
    "call",
    [
        "string.find(('a'):rep(40), ('a*'):rep(20) .. 'b')",
        "string.match(('a'):rep(40), ('a-'):rep(20) .. 'b')",
        "string.gsub(('a'):rep(40), ('a*'):rep(20) .. 'b', '')",
        "for _ in string.gmatch(('a'):rep(40), ('a?a*'):rep(20) .. 'b') do end",
        "string.find(('('):rep(100000), ('%b()'):rep(1))",
        "string.find(('x'):rep(1000000), '.-.-.-.-y')",
    ],
)
@pytest.mark.parametrize("swallowed", [False, True])
def test_an_expensive_pattern_ends_as_a_violation(run_lua: Any, call: str, swallowed: bool) -> None:
    script = f"while true do pcall(function() {call} end) end" if swallowed else call
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua(script, instruction_limit=20_000_000)
    assert caught.value.kind == "instructions"
    assert "script.lua:1" in str(caught.value)


def test_an_expensive_pattern_ends_by_the_clock_too(run_lua: Any) -> None:
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua("string.find(('a'):rep(40), ('a*'):rep(20) .. 'b')", seconds=0.1)
    assert caught.value.kind == "time"


def test_a_plain_search_is_linear(run_lua: Any) -> None:
    script = "local s = ('a'):rep(2000000) return (s:find(('a'):rep(1000) .. 'b', 1, true))"
    assert run_lua(script, instruction_limit=2_000_000) == [None]


def test_gsub_that_grows_without_bound_meets_the_memory_limit(run_lua: Any) -> None:
    script = "local s = ('x'):rep(1000) while true do s = s:gsub('x', 'xx') end"
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua(script, memory_limit=8 << 20)
    assert caught.value.kind == "memory"


def test_callbacks_nest_and_their_errors_pass_through(run_lua: Any) -> None:
    script = """
    local function deep(n)
        if n == 0 then error({ code = 7 }) end
        return (("x"):gsub("x", function() return deep(n - 1) end))
    end
    local ok, err = pcall(deep, 50)
    local again = ("abc"):gsub("%w", function(c) return (("123"):gsub("%d", function(d) return c .. d end)) end)
    return ok, err.code, again
    """
    assert run_lua(script) == [False, 7, "a1a2a3b1b2b3c1c2c3"]


def test_endless_recursion_through_callbacks_is_an_error(run_lua: Any) -> None:
    script = """
    local function f() return (("x"):gsub("x", f)) end
    return pcall(f)
    """
    ok, message = run_lua(script)
    assert not ok
    assert "C stack overflow" in message


def test_a_callback_that_waits_gets_an_error(run_lua: Any) -> None:
    with pytest.raises(ScriptError, match=r"cannot wait here: .*string.gsub callback"):
        run_lua("local ch = channel.new() local s = ('x'):gsub('x', function() return ch:receive() end)")


def test_gmatch_keeps_its_strings_and_goes_on_after_the_end(run_lua: Any) -> None:
    script = """
    local next_word = ("a b " .. ("y"):rep(100)):gmatch("%a+")
    for i = 1, 1000 do local s = ("z"):rep(i) end
    local first, second, third = next_word(), next_word(), next_word()
    return first, second, #third, (next_word()), (next_word())
    """
    assert run_lua(script) == ["a", "b", 100, None, None]
