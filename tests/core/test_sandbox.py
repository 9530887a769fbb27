"""What a script may do, what it is refused, and that nothing it does brings the process down (decisions 5, 11, 41)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from core_scripts import ScriptError

from fleet import _core

# ---- absent


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("io.open('x')", r"io\.open is not available: scripts have no files.*print\(\.\.\.\).*logger"),
        ("io.write('x')", r"io\.write is not available"),
        ("local f = io.stdout", r"io\.stdout is not available"),
        ("debug.getinfo(1)", r"debug\.getinfo is not available: only debug\.traceback is"),
        ("debug.sethook()", r"debug\.sethook is not available"),
        ("package.loadlib('x', 'y')", r"package\.loadlib is not available: .*require\(name\)"),
        ("local p = package.searchers", r"package\.searchers is not available"),
        ("dofile('x.lua')", r"dofile is not available: .*imports"),
        ("loadfile('x.lua')", r"loadfile is not available: .*imports"),
        ("warn('x')", r"warn is not available: use print"),
        ("string.dump(print or next)", r"string\.dump is not available: bytecode is never loaded"),
        ("setmetatable({}, { __gc = function() end })", r"finalizers \(__gc\) are not available"),
        ("setmetatable({}, { __mode = 'k' })", r"weak tables \(__mode\) are not available"),
    ],
)
def test_what_is_absent_says_what_to_use(run_lua: Any, call: str, message: str) -> None:
    with pytest.raises(_core.LuaViolation, match=r"script\.lua:1: " + message) as caught:
        run_lua(call)
    assert caught.value.kind == "sandbox"


def test_a_script_may_probe_for_what_is_absent(run_lua: Any) -> None:
    script = """
    local ok, message = pcall(function() return io.open("x") end)
    return ok, message, type(io), type(debug.traceback), type(package.loaded), package.path, rawget(io, "open")
    """
    result = run_lua(script)
    assert result[0] is False
    assert result[1].startswith("script.lua:2: io.open is not available")
    assert result[2:] == ["table", "function", "table", "", None]


def test_the_stock_libraries_are_out_of_reach(run_lua: Any) -> None:
    script = """
    local names = {}
    for _, name in ipairs{ "core", "print", "require", "os", "getfenv", "setfenv", "loadstring", "newproxy" } do
        if rawget(_ENV, name) ~= nil then names[#names + 1] = name end
    end
    return names, getmetatable(""), getmetatable(channel.new()), getmetatable(io)
    """
    assert run_lua(script) == [{}, False, False, False]


# ---- the collector shows nothing


def test_no_table_is_weak_however_its_metatable_was_changed(run_lua: Any) -> None:
    script = """
    local function survivors(mt, set)
        local t = setmetatable({}, mt)
        set(getmetatable(t) or mt)
        for i = 1, 100 do t[{}] = {} end
        for i = 1, 200000 do local garbage = { i } end
        collectgarbage()
        local n = 0
        for _ in pairs(t) do n = n + 1 end
        return n
    end
    local key = ("__m"):upper():lower() .. "ode"
    return survivors({}, function(mt) mt.__mode = "kv" end),
        survivors({}, function(mt) rawset(mt, key, "k") end),
        survivors(setmetatable({}, { __newindex = rawset }), function(mt) mt.__mode = "v" end),
        survivors({}, function(mt) for _, k in ipairs{ "\\1\\1mode", "__mode\\0" } do mt[k] = "kv" end end)
    """
    assert run_lua(script, memory_limit=4 << 20) == [100, 100, 100, 100]


def test_a_finalizer_set_later_never_runs(run_lua: Any) -> None:
    script = """
    local ran = 0
    local mt = {}
    for i = 1, 100 do setmetatable({}, mt) end
    mt.__gc = function() ran = ran + 1 end
    for i = 1, 200000 do local garbage = { i } end
    return ran, (pcall(setmetatable, {}, mt))
    """
    assert run_lua(script, memory_limit=4 << 20) == [0, False]


def test_collectgarbage_takes_its_options_and_shows_nothing(run_lua: Any) -> None:
    script = """
    return collectgarbage(), collectgarbage("collect"), collectgarbage("count"), collectgarbage("step", 10),
        collectgarbage("isrunning"), collectgarbage("stop"), collectgarbage("restart"), collectgarbage("generational"),
        collectgarbage("incremental"), collectgarbage("param", "pause", 100), pcall(collectgarbage, "everything")
    """
    assert run_lua(script) == [
        0, 0, 0, True, True, 0, 0, "incremental", "incremental", 0, False,
        "bad argument #1 to 'collectgarbage' (invalid option 'everything')",
    ]  # fmt: skip


def test_setmetatable_else_does_as_ever(run_lua: Any) -> None:
    script = """
    local t = setmetatable({}, { __index = { a = 1 }, __metatable = "mine" })
    return t.a, getmetatable(t), pcall(setmetatable, t, nil)
    """
    assert run_lua(script) == [1, "mine", False, "cannot change a protected metatable"]
    with pytest.raises(ScriptError, match=r"bad argument #2 to 'setmetatable' \(nil or table expected"):
        run_lua("setmetatable({}, 1)")
    with pytest.raises(ScriptError, match=r"bad argument #2 to 'setmetatable' \(nil or table expected"):
        run_lua("setmetatable({})")


# ---- load


def test_load_compiles_text(run_lua: Any) -> None:
    script = """
    local pieces, n = { "return ", "1 ", "+ 2" }, 0
    local function reader() n = n + 1 return pieces[n] end
    x_global = 5
    local env = { y = 6 }
    return load("return 1 + 1")(), load(reader)(), load("return x_global")(), load("return y", "=named", "t", env)(),
        (select(2, pcall(load("error('here')", "=named"))))
    """
    assert run_lua(script) == [2, 3, 5, 6, "named:1: here"]


def test_load_says_what_is_wrong(run_lua: Any) -> None:
    script = """
    local function message(...) return (select(2, load(...))) end
    return message("return ("), message("\\27Lua"), message("return 1", "x", "b"), message(function() return {} end),
        message(function() error("in reader", 0) end), (pcall(load, nil)), message("x = = 1", "=named")
    """
    result = run_lua(script)
    assert result[0] == '[string "return ("]:1: unexpected symbol near <eof>'
    assert result[1] == "attempt to load a binary chunk (mode is 't')"
    assert result[2].startswith("attempt to load a text chunk (mode is 'b'")
    assert result[3:] == [
        "reader function must return a string",
        "in reader",
        False,
        "named:1: unexpected symbol near '='",
    ]


def test_load_with_an_empty_environment_reaches_nothing(run_lua: Any) -> None:
    assert run_lua("return pcall(load('return string', '=x', 't', {}))") == [True, None]
    assert run_lua("return (pcall(load('return string', '=x', 't', nil)))") == [False]


@pytest.mark.parametrize(
    "script",
    [
        "local s = 'x = 1 ' .. (' '):rep(1e6) while true do load(s) end",
        "local s = ('x = 1 '):rep(1000) while true do local n = 0 load(function() n = n + 1 "
        "return n < 100 and s end) end",
    ],
)
def test_compiling_is_charged(run_lua: Any, script: str) -> None:
    with pytest.raises(_core.LuaViolation) as caught:
        run_lua(script, instruction_limit=20_000_000, seconds=60)
    assert caught.value.kind == "instructions"


def test_a_reader_without_end_is_a_violation(run_lua: Any) -> None:
    with pytest.raises(_core.LuaViolation):
        run_lua("load(function() return 'x = 1 ' end)", instruction_limit=20_000_000, memory_limit=16 << 20)


# ---- random numbers, tracebacks, private copies


def test_random_numbers_come_from_the_seed(run_lua: Any) -> None:
    numbers = "math.random(1000), math.random(1000), math.random(1000)"
    unseeded = run_lua(f"return {numbers}")
    assert unseeded == run_lua(f"return {numbers}")
    seeded = run_lua(f"local core = ... core.seed(7) return {numbers}")
    assert seeded != unseeded
    assert seeded == run_lua(f"local core = ... core.seed(7) return {numbers}")
    assert seeded == run_lua(f"local core = ... core.seed(7) math.random() math.randomseed() return {numbers}")
    assert run_lua(f"math.randomseed(42) return {numbers}") == run_lua(f"math.randomseed(42) return {numbers}")
    assert run_lua("return math.randomseed(42, 7)") == [42, 7]
    with pytest.raises(ScriptError, match=r"bad argument #1 to 'randomseed' \(number expected, got string\)"):
        run_lua("math.randomseed('x')")


def test_random_numbers_are_those_of_stock_lua(run_lua: Any) -> None:
    import lupa.lua55

    script = "math.randomseed(42, 7) return math.random(1 << 40), math.random(1 << 40)"
    assert run_lua(script) == list(lupa.lua55.LuaRuntime().execute(script))


def test_tracebacks_hide_the_privileged_modules(run_lua: Any) -> None:
    _core.set_modules({"test_privileged": _core.compile_lua(b"local f = ... return f()", "=[test_privileged]")})
    script = """
    local core = ...
    local function inner() return debug.traceback("why", 1) end
    local function outer() local text = core.module("test_privileged")(inner) return text end
    return outer(), debug.traceback({}) ~= nil, debug.traceback("[x]:1: message\\n\\t[kept]:1: no frame")
    """
    text, other, message = run_lua(script)
    assert text.split("\n")[:5] == [
        "why",
        "stack traceback:",
        "\tscript.lua:3: in function <script.lua:3>",
        "\t(...tail calls...)",
        "\tscript.lua:4: in local 'outer'",
    ]
    assert "test_privileged" not in text
    assert other is True
    assert message.startswith("[x]:1: message\n\t[kept]:1: no frame\nstack traceback:")


def test_functions_are_named_in_errors(run_lua: Any) -> None:
    assert run_lua("return pcall(string.rep)") == [
        False,
        "bad argument #1 to 'string.rep' (string expected, got no value)",
    ]
    assert run_lua("return select(2, pcall(setmetatable, 1))") == [
        "bad argument #1 to 'setmetatable' (table expected, got number)"
    ]


def test_a_script_cannot_touch_the_private_copies(run_lua: Any) -> None:
    script = """
    local core = ...
    local lib = core.lib
    string.format, table.concat, pairs, next, tostring = nil, nil, nil, nil, nil
    local missing = {}
    for _, name in lib.ipairs{
        "pairs", "next", "ipairs", "type", "select", "tostring", "tonumber", "error", "pcall", "xpcall", "assert",
        "setmetatable", "getmetatable", "rawget", "rawset", "rawequal", "rawlen", "load", "traceback",
        "s_format", "s_sub", "s_byte", "s_char", "s_find", "s_match", "s_gsub", "s_gmatch", "s_rep",
        "s_lower", "s_upper",
        "t_insert", "t_remove", "t_concat", "t_sort", "t_unpack", "t_pack", "t_move",
        "m_floor", "m_type", "m_tointeger", "m_huge", "m_maxinteger", "u_char",
    } do if lib[name] == nil then missing[#missing + 1] = name end end
    local weak = lib.setmetatable({}, { __metatable = false, __gc = 1 })
    return lib.t_concat(missing, " "), lib.s_format("%d", 5), lib.type(lib.getmetatable(weak)), lib.tostring(weak)
    """
    assert run_lua(script) == ["", "5", "table", "table: 0x00000001"]


# ---- bombs: each ends in an error or a violation; in a process of its own, for a crash would end the tests

BOMBS = {
    "recursion": "local function f() return 1 + f() end f()",
    "recursion in pcall": "local function f() return pcall(f) end while true do f() end",
    "recursion in a metamethod": "local t t = setmetatable({}, { __index = function(_, k) "
    "return t[k .. 'x'] end }) return t.a",
    "endless __index chain": "local t = {} setmetatable(t, { __index = t }) return t.x",
    "recursion in tostring": "local t = setmetatable({}, {}) getmetatable(t).__tostring = "
    "function() return tostring(t) end "
    "tostring(t)",
    "recursion in concat": "local t = setmetatable({}, {}) getmetatable(t).__concat = function(a, b) return a .. b end "
    "return t .. 'x'",
    "recursion in lt": "local mt = {} local t = setmetatable({}, mt) mt.__lt = function(a, b) "
    "return a < b end return t < t",
    "recursion in gsub": "local function f() return (('x'):gsub('x', f)) end f()",
    "recursion in sort": "local function f() table.sort({ 2, 1 }, f) end f()",
    "recursion in pairs": "local t = setmetatable({}, {}) getmetatable(t).__pairs = function(t) "
    "return pairs(t) end pairs(t)",
    "recursion in load": "local function f() return load(f) end f()",
    "recursion in coroutines": "local function f() return coroutine.wrap(f)() end f()",
    "recursion in resume": "local function f() return coroutine.resume(coroutine.create(f)) end while true do f() end",
    "error in the error handler": "while true do xpcall(error, function(e) error(e) end) end",
    "recursion in the error handler": "local function h() return h() + 1 end xpcall(error, h)",
    "handler that overflows the stack": "xpcall(function() local function f() return 1 + f() end f() end, "
    "function() local function f() return 1 + f() end return f() end)",
    "many coroutines": "local t = {} for i = 1, 1e8 do t[i] = coroutine.create(function() coroutine.yield() end) "
    "coroutine.resume(t[i]) end",
    "many spawned coroutines": "local ch = channel.new() for i = 1, 1e8 do "
    "coroutine.spawn(function() ch:receive() end) end",
    "string doubling": "local s = 'x' while true do s = s .. s end",
    "rep": "return string.rep('x', 1 << 62)",
    "nested rep": "return (('x'):rep(1 << 20)):rep(1 << 20)",
    "concat": "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1e6) end return table.concat(t)",
    "concat of the same": "local s, t = ('x'):rep(1e6), {} for i = 1, 1e5 do t[i] = s end return #table.concat(t)",
    "unpack": "return select('#', table.unpack({}, 1, 1e8))",
    "unpack to the stack's end": "return select('#', table.unpack({}, 1, 999000))",
    "unpack into unpack": "local function f(...) return f(1, ...) end f()",
    "many arguments to format": "return #string.format(('%s'):rep(200000), table.unpack({}, 1, 200000))",
    "string.byte of all": "local s = ('x'):rep(1e6) return select('#', s:byte(1, -1))",
    "table growth": "local t = {} for i = 1, 1e9 do t[i] = i end",
    "table nesting": "local t = {} while true do t = { t } end",
    "closures": "local f = function() end while true do local g = f f = function() return g() end end",
    "pattern": "return (('a'):rep(100)):find(('a*'):rep(30) .. 'b')",
    "deep pattern": "return (('a'):rep(1e6)):find(('(a'):rep(40))",
    "deep source": "return load(('('):rep(1e6))",
    "deep source in blocks": "return load(('do '):rep(1e6))",
    "long source": "return load('return ' .. ('1 + '):rep(2e6) .. '1')",
    "many locals": "return load(('local a '):rep(1e5))",
    "many constants": "local t = {} for i = 1, 3e5 do t[i] = 'x' .. i .. '=' .. i .. '.5' end "
    "return load(table.concat(t, ' '))",
    "next over a growing table": "local t = { 1 } for k in next, t do t[k + 1] = k end",
    "huge integer keys": "local t = {} for i = 1, 62 do t[1 << i] = i end for k in pairs(t) do "
    "t[k] = nil end return next(t)",
    "a close variable that fails": "do local c <close> = setmetatable({}, { __close = "
    "function() error('closing') end }) "
    "error('body') end",
    "string.pack": "return #string.pack('c1000000000', 'x')",
    "utf8": "local s = ('\\u{10FFFF}'):rep(1e6) while true do utf8.len(s) end",
    "tostring as the comparator": "table.sort({ 3, 2, 1 }, tostring)",
    "metatable of itself": "local t = {} setmetatable(t, t) t.__index = t t.__newindex = t t.x = 1",
    "goto": "::again:: goto again",
    "table.create": "return table.create(1 << 30, 1 << 30)",
}

RUNNER = """
import json, os, sys
import conftest
from fleet import _core


def run(source):
    state = _core.LuaState(engine="test_engine", memory_limit=32 << 20, instruction_limit=5_000_000)
    state.set_program(_core.Program({"main": _core.compile_lua(source.encode(), "@script.lua")}, None))
    try:
        out = state.step("run", 0.5)
    except _core.LuaViolation as violation:
        outcome = "violation: " + violation.kind
    else:
        outcome = "failure" if out.get("failure") else "result"
    # Another state in the same process is none the worse for it.
    other = _core.LuaState(engine="test_engine")
    other.set_program(_core.Program({"main": _core.compile_lua(b"return 1 + 1", "@other.lua")}, None))
    assert other.step("run", 5.0)["results"] == {"n": 1, 1: 2}, "another state was harmed"
    state.close()
    other.close()
    return outcome


for name, source in json.load(sys.stdin).items():
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, run(source).encode())
        os._exit(0)
    os.close(write)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([name, status, os.read(read, 1000).decode()]), flush=True)
    os.close(read)
"""


def set_off(bombs: dict[str, str]) -> dict[str, tuple[int, str]]:
    """Run each script in a child of one process: {name: (exit status, outcome)}."""
    here = Path(__file__).parent
    paths = [str(here), os.environ.get("PYTHONPATH") or str(here.parent.parent)]
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(bombs),
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: (status, outcome) for name, status, outcome in map(json.loads, done.stdout.splitlines())}


def test_bombs_go_off_inside() -> None:
    outcomes = set_off(BOMBS)
    assert len(outcomes) == len(BOMBS)
    assert {name: outcome for name, outcome in outcomes.items() if outcome[0] != 0 or not outcome[1]} == {}


def test_bombs_that_the_script_swallows_end_as_violations() -> None:
    outcomes = set_off({name: f"while true do pcall(function() {source} end) end" for name, source in BOMBS.items()})
    assert len(outcomes) == len(BOMBS)
    assert {
        name: outcome for name, outcome in outcomes.items() if outcome[0] != 0 or "violation" not in outcome[1]
    } == {}
