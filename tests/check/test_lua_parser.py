"""The parser against real Lua 5.5: what one accepts the other accepts, and numbers and strings have the same values."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lupa.lua55
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.check import LuaSyntaxError, parse
from fleet.check import nodes as ast
from fleet.check.lexer import tokenize
from fleet.check.nodes import walk

HERE = Path(__file__).parent
SNIPPETS = (HERE / "lua_snippets.txt").read_text().rstrip("\n").split("\n")
DOCUMENT = re.findall(r"```lua\n(.*?)```", (HERE / "document_samples.md").read_text(), re.S)
CORPUS = [*DOCUMENT, *SNIPPETS]


def examples(count: int) -> settings:
    """Run a property this often, leaving no files behind."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count, deadline=None, database=None, suppress_health_check=slow)


RUNTIME = lupa.lua55.LuaRuntime(encoding=None)
_LOAD: Callable[[bytes], Any] = RUNTIME.eval(
    "function(s) local f, e = load(s, '=chunk', 't') if f then return true end return e end"
)


def real_error(text: str) -> str:
    """What Lua's `load` says against a text, or ""."""
    found = _LOAD(text.encode("utf-8", "surrogateescape"))
    return "" if found is True else bytes(found).decode("utf-8", "replace")


def our_error(text: str) -> str:
    """What our parser says, in Lua's form, or ""."""
    try:
        parse(text)
    except LuaSyntaxError as error:
        assert 1 <= error.line <= text.count("\n") + text.count("\r") + 1
        assert error.column >= 1
        return f"chunk:{error.line}: {error.message}"
    return ""


def assert_same_verdict(text: str) -> None:
    real, ours = real_error(text), our_error(text)
    if "too many registers" in real or "C stack overflow" in real or "nested too deeply" in ours:
        return  # limits of the code generator and of the caller's C stack
    assert bool(real) == bool(ours), f"Lua says {real!r}, we say {ours!r}, of {text!r}"


@pytest.mark.parametrize("text", SNIPPETS)
def test_snippet_gets_the_verdict_of_lua(text: str) -> None:
    assert_same_verdict(text)


def test_document_and_multi_line_snippets() -> None:
    for text in [*DOCUMENT, "\n".join(SNIPPETS), "x = [[\n\n]]\r\ny = 1\r\n\rz = $"]:
        assert_same_verdict(text)


def test_lua_files_of_the_repository() -> None:
    files = sorted((HERE.parents[1] / "lua_modules").glob("*.lua"))
    assert files
    for path in files:
        assert our_error(path.read_text()) == "", path.name


SAME_MESSAGE = [
    "x",
    "x = }",
    "for i = 1 do end",
    "x = a.and",
    "f(function() end",
    "\n\nif x then\n\ny = 1\n",
    "x = 1 y = = 2",
    "return ... , x y",
    "local x <foo> = 1",
    "global x\n\ny = 1",
    "local x <const> = 1\nx = 2",
    "function f() return ... end",
    "::a:: ::a::",
    "x = 12abc",
    "x:y",
]


@pytest.mark.parametrize("text", SAME_MESSAGE)
def test_message_and_line_are_those_of_lua(text: str) -> None:
    assert our_error(text).replace("'<eof>'", "<eof>") == real_error(text)


HINTS = {
    "a != b": "Lua writes 'not x' and 'x ~= y'",
    "a += 1": "Lua has no '+=': write x = x + …",
    "a++": "Lua has no '++': write x = x + 1",
    "if a && b then end": "Lua writes 'and'",
    "if a = b then end": "to compare, write '=='",
    "for i = 1, 2 do continue end": "'goto continue'",
    "let x = 1": "Lua writes 'local'",
    "def f() end": "Lua writes 'function'",
    "local x: number = 1": "Lua has no type annotations",
    "x = a ? b : c": "Lua has no '?' operator",
    "if a then end end": "one 'end' too many",
    "x = 'a\n'": "close it with ' on the same line",
    'x = "C:\\dir"': "write \\\\ for a backslash",
    "x = [[ abc": "close it with ]]",
    "\ufeffx = 1": "save it as UTF-8 without BOM",
    "π = 3": "only ASCII",
    "goto done": "put '::done::' into the same block",
    "local t = {} t.and = 1": "'and' is a reserved word",
    "global print\nprint(tostring(1))": "add 'global tostring'",
}


@pytest.mark.parametrize("text", HINTS)
def test_hint_of_a_common_mistake(text: str) -> None:
    with pytest.raises(LuaSyntaxError) as raised:
        parse(text)
    assert HINTS[text] in raised.value.hint


def test_position_of_an_error() -> None:
    with pytest.raises(LuaSyntaxError) as raised:
        parse("local x = 1\n  local y = = 2")
    assert (raised.value.line, raised.value.column) == (2, 13)


@pytest.mark.parametrize(
    "text",
    [
        "0", "1", "08", "0x10", "0xFFFFFFFFFFFFFFFF", "0x1FFFFFFFFFFFFFFFF", "9223372036854775807",
        "9223372036854775808", "1e3", "1E-2", ".5", "5.", "0x.8", "0xA.8p1", "0x1p-2", "1e400", "0x1p5000",
        "99999999999999999999999", "3.14159", "00000000000000000000000001", "0" * 5000 + "7", "1" * 5000,
    ],
)  # fmt: skip
def test_value_of_a_number(text: str) -> None:
    expected = RUNTIME.eval(text.encode())
    value = tokenize(text).values[0]
    assert type(value) is type(expected)
    assert value == expected or (isinstance(value, float) and math.isnan(value))


@given(st.text(alphabet=st.sampled_from("abz01xuF{}\\\n\r'\" é\t[]="), max_size=12))
@examples(1500)
def test_value_of_a_string(body: str) -> None:
    for text in (f"'{body}'", f'"{body}"', f"[[{body}]]", f"[==[{body}]==]"):
        assert_same_verdict(f"return {text}")
        if not real_error(f"return {text}"):
            returned = parse(f"return {text}").body[0]
            assert isinstance(returned, ast.Return)
            if len(returned.values) == 1 and isinstance(returned.values[0], ast.String):
                expected = RUNTIME.execute(f"return {text}".encode())
                assert returned.values[0].value.encode("utf-8", "surrogateescape") == expected


_TOKENS = (
    "and break do else elseif end false for function goto if in local nil not or repeat return then true until while"
    " global x y print ... .. . : :: ; , = == ~= <= >= < > + - * / // % ^ # & | ~ << >> ( ) [ ] { } 1 0x1 1.5 'a'"
    " [[b]] <const> <close> _ENV continue * --c\n"
)
TOKENS = _TOKENS.split(" ")


@given(st.lists(st.sampled_from(TOKENS), max_size=25))
@examples(1500)
def test_any_row_of_tokens(tokens: list[str]) -> None:
    assert_same_verdict(" ".join(tokens))


@given(st.integers(0, 2**32), st.sampled_from(CORPUS))
@examples(2000)
def test_broken_programs(seed: int, text: str) -> None:
    """Tokens of a real program deleted, doubled, swapped or replaced."""
    chance = random.Random(seed)
    pieces = re.findall(r"\w+|\s+|[^\w\s]", text)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(pieces)) if pieces else 0
        action = chance.choice(("delete", "double", "swap", "replace"))
        if action == "delete":
            del pieces[at : at + 1]
        elif action == "double":
            pieces[at:at] = pieces[at : at + 1]
        elif action == "swap" and len(pieces) > 1:
            other = chance.randrange(len(pieces))
            pieces[at], pieces[other] = pieces[other], pieces[at]
        else:
            pieces[at : at + 1] = [" ", chance.choice(TOKENS), " "]
    assert_same_verdict("".join(pieces))


NAMES = st.sampled_from(["a", "b", "c", "t", "_ENV", "global"])
LABELS = st.sampled_from(["l", "m"])


def blocks(depth: int) -> st.SearchStrategy[str]:
    """Programs about scopes: locals, globals, attributes, loops, gotos and labels."""
    attributes = st.sampled_from(["", "", "<const>", "<close>"])
    simple = st.one_of(
        st.builds("local {} {} = a".format, NAMES, attributes),
        st.builds("local {} {}, {}".format, attributes, NAMES, NAMES),
        st.builds("global {} {}".format, NAMES, attributes),
        st.builds("global {} {}, {} = a".format, attributes, NAMES, NAMES),
        st.builds("global {} *".format, attributes),
        st.builds("{} = {}".format, NAMES, NAMES),
        st.builds("{}.x = {}".format, NAMES, NAMES),
        st.builds("goto {}".format, LABELS),
        st.builds("::{}::".format, LABELS),
        st.sampled_from(["break", ";", "a()", "return ...", "function t.f(...c) c = 1 end"]),
    )
    if not depth:
        return st.lists(simple, max_size=5).map("\n".join)
    inner = blocks(depth - 1)
    compound = st.one_of(
        st.builds("do {} end".format, inner),
        st.builds("while a do {} end".format, inner),
        st.builds("for {} = 1, 2 do {} end".format, NAMES, inner),
        st.builds("for {}, {} in a do {} end".format, NAMES, NAMES, inner),
        st.builds("repeat {} until {}".format, inner, NAMES),
        st.builds("if a then {} else {} end".format, inner, inner),
        st.builds("local function {}({}) {} end".format, NAMES, st.sampled_from(["", "a", "...", "a, ...b"]), inner),
        st.builds("global function {}() {} end".format, NAMES, inner),
        st.builds("function {}() {} end".format, NAMES, inner),
        st.builds("function {}:m() {} end".format, NAMES, inner),
    )
    return st.lists(st.one_of(simple, compound), max_size=4).map("\n".join)


@given(blocks(2))
@examples(800)
def test_scopes_labels_and_attributes(text: str) -> None:
    assert_same_verdict(text)


@pytest.mark.parametrize("count", [198, 199, 200, 201])
@pytest.mark.parametrize(
    "tail", ["", "for i = 1, 2 do end", "for i in f do end", "for i in f do local x end", "global g"]
)
def test_limit_of_locals(count: int, tail: str) -> None:
    assert_same_verdict("\n".join(f"local v{i}" for i in range(count)) + f"\n{tail}\n")


@pytest.mark.parametrize("count", [254, 255, 256])
def test_limit_of_upvalues(count: int) -> None:
    outer = "\n".join(f"local a{i}" for i in range(150))
    inner = "\n".join(f"local b{i}" for i in range(110))
    names = [f"a{i}" for i in range(150)] + [f"b{i}" for i in range(count - 150)]
    assert_same_verdict(f"{outer}\nfunction f()\n{inner}\nreturn function() return {{{', '.join(names)}}} end end")


@pytest.mark.parametrize("text", ["x = " + "(" * 5000, "x = " + "{" * 5000, "do " * 5000, "x = " + "- " * 5000 + "1"])
def test_deep_nesting_is_an_error_not_a_crash(text: str) -> None:
    with pytest.raises(LuaSyntaxError, match="nested too deeply"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["x = " + "1+" * 20000 + "1", "x = a" + ":b()" * 20000, "x = a" + ".b" * 20000, "x = a" + "[1]" * 20000]
)
def test_long_chains_are_no_nesting(text: str) -> None:
    assert_same_verdict(text)
    assert sum(1 for _ in walk(parse(text))) > 20000


def test_tree_of_a_program() -> None:
    chunk = parse("local a <const>, b = 1, 'x'\nfunction m.f(...) return a + m.g{y = 2}:z() end")
    assert " ".join(type(node).__name__ for node in walk(chunk)) == (
        "Chunk Local Number String FunctionStatement Index Name String Function Return Binary Name MethodCall Call"
        " Index Name String Table Field String Number String"
    )
    assert [(use.node.name, use.action, use.node.line, use.node.column) for use in chunk.globals] == [
        ("m", "read", 2, 10),
        ("m", "read", 2, 30),
    ]
    assert [(local.name, local.attribute, local.reads) for local in chunk.locals] == [("a", "const", 1), ("b", "", 0)]


def test_uses_of_globals_know_declarations() -> None:
    chunk = parse("global x <const> = 1\nglobal *\ny = x\nlocal _ENV = {}\nz = 1")
    found = [(use.node.name, use.action, use.declared) for use in chunk.globals]
    assert found == [("x", "write", True), ("x", "declare", True), ("x", "read", True), ("y", "write", False)]


def test_a_chunk_with_its_own_environment_has_no_globals() -> None:
    assert parse("_ENV = {}\nx = y").globals == []


def test_lines_are_counted_through_long_strings_and_comments() -> None:
    chunk = parse("--[[ a\nb ]] x = [[\n\n]]\n\r\nf('\\\n', y)")
    assert [(use.node.name, use.node.line, use.node.column) for use in chunk.globals][-2:] == [("f", 6, 1), ("y", 7, 4)]
