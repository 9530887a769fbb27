"""What the states of an engine share: the code and the strings of an image, in string tables that grow and shrink."""

from __future__ import annotations

import threading
from typing import Any

from fleet import _core

ENGINE = """
local core, base = ...
local result
local main
return {
    apply = function(event)
        main = main or core.chunk("main", base)()
        result = main[event[1]](event[2])
    end,
    flush = function() return { result = result } end,
    rest = function() end,
    failed = function() core.stop() end,
}
"""

# `grow` makes strings, and looks each up by another way than that it was made by: they must be found, and be one each.
SCRIPT = """
local M, kept = {}, {}

local words = { "alpha", "beta", "gamma", "delta", "__index", "while", "end", "string", "a text of more than forty bytes, a long one" }

function M.grow(count)
    for i = 1, count do kept["key" .. i] = i end
    for i = 1, count do
        if kept[("k%s%d"):format("ey", i)] ~= i then return "key" .. i .. " is lost" end
    end
    return M.words()
end

function M.forget()
    kept = {}
    return M.words()
end

-- Strings put together while the state runs are the ones that the code has.
function M.words()
    local known = {}
    for _, word in ipairs(words) do known[word] = true end
    for _, word in ipairs(words) do
        local made = {}
        for i = 1, #word do made[i] = word:sub(i, i) end
        if not known[table.concat(made)] then return word .. " is twice there" end
    end
    return "all are one"
end

function M.compile(text) return load(text)() end

return M
"""

_core.set_modules({"images_engine": _core.compile_lua(ENGINE.encode(), "=[images_engine]")})


def program(text: str = SCRIPT) -> _core.Program:
    return _core.Program({"main": _core.compile_lua(text.encode(), "@script.lua")}, {"id": "one"})


class State:
    """A state with calls of the script's functions as methods."""

    def __init__(self, of: _core.Program, memory_limit: int = 64 << 20) -> None:
        self.state = _core.LuaState(engine="images_engine", memory_limit=memory_limit)
        self.state.set_program(of)

    def call(self, function: str, argument: Any = None) -> Any:
        return self.state.step([function, argument], 30.0)["result"]


def test_strings_are_one_each_while_the_table_grows_and_shrinks() -> None:
    one, other = State(of := program()), State(of)
    for count in (10, 100, 300, 5_000, 70_000):
        assert one.call("grow", count) == "all are one"
        assert other.call("words") == "all are one"
    for _ in range(12):  # a collection halves the table
        assert one.call("forget") == "all are one"
        one.state.rest()
        assert one.call("grow", 50) == "all are one"
        assert one.call("words") == other.call("words") == "all are one"
    assert other.call("grow", 1_000) == "all are one"


def test_strings_are_one_each_when_the_table_grows_for_want_of_memory() -> None:
    """Lua then collects what it can, in the middle of making room for a string."""
    results = set()
    for limit in range(60_000, 420_000, 4_000):
        state = State(program(), memory_limit=limit)
        try:
            for count in (300, 20, 600, 20, 1_200, 20, 2_400):
                results.add(state.call("grow", count))
                results.add(state.call("forget"))
        except _core.LuaViolation as violation:
            results.add(violation.kind)
    assert results == {"all are one", "memory"}


def test_what_a_state_has_made_before_it_gets_its_program_stays_one() -> None:
    """Then the program's code is loaded for this state alone, for it has a string of it already."""
    engine = ENGINE.replace("local main\n", "local main\nlocal early = { [('al'):rep(1) .. 'pha'] = true }\n")
    engine = engine.replace("(event[2])", "(event[2], early)").replace("('al'):rep(1)", "base.string.rep('al', 1)")
    _core.set_modules({"early_engine": _core.compile_lua(engine.encode(), "=[early_engine]")})
    of = program("return { has = function(_, early) return early.alpha end }")
    for _ in range(2):
        state = _core.LuaState(engine="early_engine")
        state.set_program(of)
        assert state.step(["has", None])["result"] is True


def test_reserved_words_and_metamethods_are_those_of_lua() -> None:
    state = State(program())
    text = "local t = setmetatable({}, { __index = function() return 7 end }) if t.x == 7 then return t.x end"
    assert state.call("compile", text) == 7
    assert state.call("compile", "while true do break end return ('end'):upper()") == "END"


def test_functions_of_the_same_code_share_no_variables() -> None:
    counter = "local n = 0\nlocal M = {}\nfunction M.count() n = n + 1 return n end\nreturn M"
    one, other = State(of := program(counter)), State(of)
    assert [one.call("count") for _ in range(3)] == [1, 2, 3]
    assert other.call("count") == 1


def test_globals_are_of_the_state() -> None:
    text = "seen = (seen or 0) + 1\nreturn { seen = function() return seen end }"
    of = program(text)
    assert [State(of).call("seen") for _ in range(3)] == [1, 1, 1]


def test_the_images_of_a_program_go_with_it() -> None:
    state = State(program())
    assert state.call("words") == "all are one"  # the program is referred to by the state alone
    modules = {"images_engine": _core.compile_lua(ENGINE.encode(), "=[images_engine]")}
    _core.set_modules(modules)  # new states have new images
    assert state.call("grow", 2_000) == "all are one"
    assert State(program()).call("grow", 2_000) == "all are one"


def test_states_on_several_threads() -> None:
    of = program()
    found: list[str] = []

    def work() -> None:
        for count in (50, 700, 3_000):
            state = State(of)
            found.append(state.call("grow", count))
            state.call("forget")
            state.state.rest()
            found.append(state.call("words"))
            state.state.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["all are one"] * 24


def test_errors_name_file_line_and_variables() -> None:
    state = State(program("local M = {}\nfunction M.fail(thing)\n  return thing.name.text\nend\nreturn M"))
    try:
        state.call("fail", {})
    except _core.LuaFault as error:
        assert "script.lua:3: attempt to index a nil value (field 'name')" in str(error)
        assert "script.lua:3: in field '?'" in str(error)
    else:
        raise AssertionError("no error")


def test_a_state_of_a_large_program_takes_little() -> None:
    """Its code is in the image: what a state has of it are its functions."""
    functions = "".join(f"function M.f{i}(x) return x.field{i} .. 'text {i}' end\n" for i in range(300))
    state = State(program(f"local M = {{}}\n{functions}return M"))
    before = state.state.memory_used
    assert state.call("f1", {"field1": "a "}) == "a text 1"
    functions_and_table = 300 * 64 + 512 * 24
    assert state.state.memory_used - before < functions_and_table * 1.3


def test_a_program_of_very_many_strings_is_loaded_for_each_state() -> None:
    """New strings of a state are looked for among those of its images."""
    words = "".join(f"words[{i}] = 'word {i}'\n" for i in range(3_000))
    of = program(f"local words = {{}}\n{words}return {{ word = function(i) return words[i] end }}")
    assert [State(of).call("word", 7) for _ in range(2)] == ["word 7"] * 2
