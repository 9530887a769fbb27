"""Lua values to JSON text: the form of everything, and the words and paths of each refusal (decisions 6, 37)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_codec import Codec, NotJson

from fleet import _core

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def codec() -> Iterator[Codec]:
    codec = Codec()
    yield codec
    codec.close()


def encoded(run_lua: Any, expression: str) -> Any:
    """The JSON text of a Lua expression, or the message of the refusal after `!`."""
    (result,) = run_lua(f"""
        local core = ...
        local text, wrong = core.json_encode({expression})
        return text or '!' .. wrong
    """)
    return result


WRITTEN = [
    ("nil", "null"),
    ("true", "true"),
    ("false", "false"),
    ("core.json_null", "null"),
    ("'x'", '"x"'),
    ("''", '""'),
    ("1", "1"),
    ("-1", "-1"),
    ("math.maxinteger", "9223372036854775807"),
    ("math.mininteger", "-9223372036854775808"),
    ("1.0", "1"),
    ("-5.0", "-5"),
    ("-0.0", "-0"),
    ("1.5", "1.5"),
    ("0.1", "0.1"),
    ("1/3", "0.3333333333333333"),
    ("2.0^53", "9007199254740992"),
    ("-2.0^53", "-9007199254740992"),
    ("2.0^53 + 2", "9007199254740994.0"),
    ("1e15", "1000000000000000"),
    ("1e16", "1e16"),
    ("1e300", "1e300"),
    ("1.5e-7", "1.5e-7"),
    ("0.0001", "0.0001"),
    ("5e-324", "5e-324"),
    ("0/0", "null"),
    ("1/0", "null"),
    ("-1/0", "null"),
    ("{}", "[]"),
    ("core.json_object{}", "{}"),
    ("core.json_object()", "{}"),
    ("core.json_object{a=1}", '{"a":1}'),
    ("core.json_object{1}", "[1]"),
    ("{1, 2, 3}", "[1,2,3]"),
    ("{{}, {{}}}", "[[],[[]]]"),
    ("{1, core.json_null, 3}", "[1,null,3]"),
    ("{a=1}", '{"a":1}'),
    ("{b=1, a=2, c={d=1}}", '{"a":2,"b":1,"c":{"d":1}}'),
    ("{a=core.json_null}", '{"a":null}'),
    ("{[3]='c', [1]='a', [2]='b'}", '["a","b","c"]'),
    ("{[1.0]='a'}", '["a"]'),
    ("{['']=1, ['\\0']=2, a=3, ['a\\0']=4, ['é']=5, ['~']=6}", '{"":1,"\\u0000":2,"a":3,"a\\u0000":4,"~":6,"é":5}'),
    ("'<a href=\"x\">&\\'</a>'", '"\\u003ca href=\\"x\\"\\u003e\\u0026\'\\u003c/a\\u003e"'),
    ("'\\b\\f\\n\\r\\t\\0\\31\\127\\\\/'", '"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\\\\/"'),
    ("{['<&>\"']=1}", '{"\\u003c\\u0026\\u003e\\"":1}'),
    ("'日本語 é 😀\\u{2028}'", '"日本語 é 😀\u2028"'),
    ("{a=channel.new(), b=1}", '{"b":1}'),
    ("{a=channel.new()}", "{}"),
    ("{channel.new(), 2}", "[null,2]"),
    ("channel.new()", "null"),
    ("{when={channel.new()}, c={x=channel.new()}}", '{"c":{},"when":[null]}'),
    ("setmetatable({a=1}, {__index={b=2}, __pairs=error, __len=error})", '{"a":1}'),
]


@pytest.mark.parametrize(("expression", "text"), WRITTEN, ids=[expression[:32] for expression, _ in WRITTEN])
def test_written(run_lua: Any, expression: str, text: str) -> None:
    assert encoded(run_lua, expression) == text


REFUSED = [
    ("math.abs", "cannot encode a function"),
    ("{items={1, 2, {callback=math.abs}}}", "cannot encode a function at .items[3].callback"),
    ("{[1]={f=function() end}}", "cannot encode a function at [1].f"),
    ("{['a b']={math.abs}}", 'cannot encode a function at ["a b"][1]'),
    ("{['1a']=math.abs}", 'cannot encode a function at ["1a"]'),
    ("{['a\"\\\\\\n']=math.abs}", 'cannot encode a function at ["a\\x22\\x5C\\x0A"]'),
    ("{['\\255']=math.abs}", "cannot encode a key that is not UTF-8"),
    ("{['" + "é" * 40 + "']=math.abs}", 'cannot encode a function at ["' + "\\xC3\\xA9" * 6 + '..."]'),
    ("{" + "a" * 100 + "=math.abs}", 'cannot encode a function at ["' + "a" * 47 + '..."]'),
    ("{['']=math.abs}", 'cannot encode a function at [""]'),
    ("{b=math.abs, a=coroutine.create(math.abs)}", "cannot encode a coroutine at .a"),
    ("'\\255'", "cannot encode a string that is not UTF-8"),
    ("{user={name='x\\xc3'}}", "cannot encode a string that is not UTF-8 at .user.name"),
    ("{{'\\xed\\xa0\\x80'}}", "cannot encode a string that is not UTF-8 at [1][1]"),
    ("{a={['\\255']=1}}", "cannot encode a key that is not UTF-8 at .a"),
    ("{1, 2, x=1}", "cannot encode a table with both string and number keys"),
    ("{a={x=1, [7]=2}}", "cannot encode a table with both string and number keys at .a"),
    ("{[1]=1, [3]=3}", "cannot encode a sparse array (2 elements, the highest index is 3)"),
    ("{a={1, nil, 3, nil, 5}}", "cannot encode a sparse array (3 elements, the highest index is 5) at .a"),
    ("{[2]=1}", "cannot encode a sparse array (1 elements, the highest index is 2)"),
    ("{[1000000]=1}", "cannot encode a sparse array (1 elements, the highest index is 1000000)"),
    ("{[0]=1, [1]=2}", "cannot encode a table with number keys other than 1, 2, 3 ..."),
    ("{[-1]=1}", "cannot encode a table with number keys other than 1, 2, 3 ..."),
    ("{1, 2, [2.5]=1}", "cannot encode a table with number keys other than 1, 2, 3 ..."),
    ("{[true]=1}", "cannot encode a table with keys that are neither strings nor numbers"),
    ("{x={1, [{}]=1}}", "cannot encode a table with keys that are neither strings nor numbers at .x"),
    ("{a=1, [channel.new()]=1}", "cannot encode a table with keys that are neither strings nor numbers"),
]


@pytest.mark.parametrize(("expression", "message"), REFUSED, ids=[expression[:32] for expression, _ in REFUSED])
def test_refused_with_the_path(run_lua: Any, expression: str, message: str) -> None:
    assert encoded(run_lua, expression) == "!" + message


def test_a_table_that_contains_itself(run_lua: Any) -> None:
    script = """
    local core = ...
    local t = {}
    t.self = t
    local a, b = {}, {}
    a.list, b.back = {1, b}, a
    return select(2, core.json_encode(t)), select(2, core.json_encode({x={a}}))
    """
    assert run_lua(script) == [
        "cannot encode a table that contains itself at .self",
        "cannot encode a table that contains itself at .x[1].list[2].back",
    ]


def test_the_same_table_twice_is_no_cycle(run_lua: Any) -> None:
    assert run_lua("local core = ...; local t = {1}; return (core.json_encode({t, t, {a=t}}))") == [
        '[[1],[1],{"a":[1]}]'
    ]


def test_depth(run_lua: Any) -> None:
    script = """
    local core = ...
    local function nest(levels, key)
        local t = {}
        for _ = 2, levels do t = {[key]=t} end
        return t
    end
    return (core.json_encode(nest(128, 1))), (select(2, core.json_encode(nest(129, 1)))),
        (select(2, core.json_encode(nest(129, "k"))))
    """
    fits, arrays, objects = run_lua(script)
    assert fits == "[" * 128 + "]" * 128
    assert arrays.startswith("cannot encode a value that is nested more than 128 levels deep at ...")
    assert arrays.endswith("[1][1]")
    assert objects.startswith("cannot encode a value that is nested more than 128 levels deep at ...")
    assert objects.endswith(".k.k")


def test_order_of_keys_does_not_depend_on_the_order_of_insertion(run_lua: Any) -> None:
    script = """
    local core = ...
    local keys = {}
    for i = 1, 500 do keys[i] = "customer-" .. (i * 7919 % 1000) .. (i % 3 == 0 and "\\0" or "") end
    local forward, backward = {}, {}
    for i = 1, #keys do forward[keys[i]] = keys[i]; backward[keys[#keys + 1 - i]] = keys[#keys + 1 - i] end
    return (core.json_encode(forward)), (core.json_encode(backward))
    """
    forward, backward = run_lua(script)
    assert forward == backward
    keys = list(json.loads(forward))
    assert keys == sorted(keys, key=str.encode)
    assert json.loads(forward) == {key: key for key in keys}


@pytest.mark.parametrize("count", [1, 7, 8, 9, 12, 13, 63, 64, 65, 4095, 4096, 4097, 10_000])
def test_containers_of_all_sizes(codec: Codec, count: int) -> None:
    array = list(range(count))
    object_ = {f"k{i * 7919 % 100_003}": [i] for i in range(count)}
    assert codec.encode(array) == json.dumps(array, separators=(",", ":"))
    assert codec.encode(object_) == json.dumps(object_, separators=(",", ":"), sort_keys=True)
    nested = {"outer": object_, "z": {"inner": object_}}
    assert codec.encode(nested) == json.dumps(nested, separators=(",", ":"), sort_keys=True)


def test_arrays_however_they_were_made(run_lua: Any) -> None:
    script = """
    local core = ...
    local texts = {}
    local backward, grown, shrunk, holed, late = {}, {}, {}, {}, {}
    for i = 100, 1, -1 do backward[i] = i end
    for i = 1, 100 do grown[#grown + 1] = i end
    for i = 1, 100 do shrunk[i] = i end
    for i = 100, 51, -1 do shrunk[i] = nil end
    for i = 1, 100 do holed[i] = i end
    holed[50] = nil
    for i = 1, 100 do late[i] = i end
    late.name = 1
    return (core.json_encode(backward)), (core.json_encode(grown)), (core.json_encode(shrunk)),
        (select(2, core.json_encode(holed))), (select(2, core.json_encode(late)))
    """
    backward, grown, shrunk, holed, late = run_lua(script)
    assert backward == grown == json.dumps(list(range(1, 101)), separators=(",", ":"))
    assert shrunk == json.dumps(list(range(1, 51)), separators=(",", ":"))
    assert holed == "cannot encode a sparse array (99 elements, the highest index is 100)"
    assert late == "cannot encode a table with both string and number keys"


@relaxed
@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 40))
def test_strings(codec: Codec, text: str, before: int) -> None:
    text = "x" * before + text
    written = codec.encode({text: text})
    assert json.loads(written) == {text: text}
    assert not set(written) & set("<>&")
    assert not any(ord(c) < 32 for c in written)


PLACES = [(before, after) for before in range(18) for after in (0, 1, 3, 7, 8, 15, 17)]
# Long texts go by blocks of 32 in pairs, and the last pair overlaps the one before it.
PLACES += [(before, size - before) for size in (31, 32, 63, 64, 95, 100) for before in range(size + 1)]


@pytest.mark.parametrize("character", [chr(i) for i in range(128)])
def test_every_ascii_character_at_every_place_of_a_block(codec: Codec, character: str) -> None:
    texts = ["a" * before + character + "b" * after for before, after in PLACES]
    written = codec.encode(texts)
    assert json.loads(written) == texts
    assert not set(written) & set("<>&")
    assert codec.decode(written) == texts


@pytest.mark.parametrize("around", ["é", "語", "😀", "aé語😀"])
def test_every_mark_in_text_that_is_not_ascii(codec: Codec, around: str) -> None:
    texts = [
        around * before + mark + around * after
        for mark in '"\\<>&|~\x00\x1f\x7f'
        for before in range(24)
        for after in (0, 24)
    ]
    written = codec.encode(texts)
    assert json.loads(written) == texts
    assert not set(written) & set("<>&")
    assert codec.decode(written) == texts


@pytest.mark.parametrize("bad", [b"\x80", b"\xc3", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff"])
def test_bad_utf8_at_every_place_of_a_block(codec: Codec, bad: bytes) -> None:
    for before in (*range(18), *range(28, 36), 63, 64, 65):
        for after in (0, 1, 4, 20, 64):
            with pytest.raises(NotJson, match="cannot encode a string that is not UTF-8 at \\[1\\]"):
                codec.encode([b"a" * before + bad + b"b" * after])


def test_error_objects_are_their_message(run_lua: Any) -> None:
    script = """
    local core, meta = ..., {}
    local new = core.class(meta)
    core.set_error_class(meta)
    local err = new{message="no <stock>", kind="CONFLICT"}
    return (core.json_encode(err)), (core.json_encode({error=err, list={err}})), (core.json_encode(new{})),
        (select(2, core.json_encode{e=new{message="\\255"}}))
    """
    assert run_lua(script) == [
        '"no \\u003cstock\\u003e"',
        '{"error":"no \\u003cstock\\u003e","list":["no \\u003cstock\\u003e"]}',
        "null",
        "cannot encode an error whose message is not UTF-8 at .e",
    ]


def test_object_marks_a_table(run_lua: Any) -> None:
    script = """
    local core = ...
    local t = core.json_object{a=1}
    t.a = nil
    return (core.json_encode(t)), rawequal(core.json_object(t), t),
        select(2, pcall(core.json_object, setmetatable({}, {}))), select(2, pcall(core.json_object, 1))
    """
    text, same, own, kind = run_lua(script)
    assert (text, same) == ("{}", True)
    assert "the table has a metatable of its own" in own
    assert "table expected, got number" in kind


def test_null_has_a_name(run_lua: Any) -> None:
    assert run_lua(
        "local core = ...; return tostring(core.json_null), core.json_null == core.json_decode('[null]')[1]"
    ) == ["null", True]


def test_a_value_that_is_too_large(run_lua: Any) -> None:
    script = """
    local core = ...
    local t = {"x"}
    for _ = 1, 60 do t = {t, t} end
    return core.json_encode(t)
    """
    # Sixty levels of doubling: 2^60 leaves. The buffer's limit ends it, or the budget does.
    assert run_lua(script, memory_limit=8 << 20)[1] == "the value is too large"


def test_members_that_leave_no_text_are_charged(run_lua: Any) -> None:
    script = """
    local core = ...
    local wide, ch = {}, channel.new()
    for i = 1, 2000 do wide["k" .. i] = ch end
    local t = wide
    for _ = 1, 30 do t = {t, t} end
    return core.json_encode(t)
    """
    with pytest.raises(_core.LuaViolation, match="instruction budget exceeded"):
        run_lua(script, instruction_limit=1_000_000)
