"""JSON text to Lua values: what is accepted and what is refused, and the words of each refusal (decisions 37)."""

from __future__ import annotations

import json
import math
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


ACCEPTED: list[tuple[str, Any]] = [
    ("null", None),
    ("true", True),
    ("false", False),
    (" \t\r\n1 \t\r\n", 1),
    ("0", 0),
    ("-1", -1),
    ("0.0", 0.0),
    ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
    ("1e2", 100.0),
    ("1E+2", 100.0),
    ("1e-2", 0.01),
    ("1.5e3", 1500.0),
    ("0e1", 0.0),
    ("0E+1", 0.0),
    ("123456789012345678", 123456789012345678),
    ("1e-400", 0.0),
    ('""', ""),
    ('"a"', "a"),
    ('"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
    ('"\\u00e9\\u3042"', "éあ"),
    ('"\\uD83D\\ude00"', "😀"),
    ('"é😀あ\x7f"', "é😀あ\x7f"),
    ('"\\u0000x"', "\0x"),
    ('"\u2028\u2029\uffff\U0010ffff"', "\u2028\u2029\uffff\U0010ffff"),
    ("[]", {}),
    ("[1]", [1]),
    ("[ 1 , 2 ]", [1, 2]),
    ("[[],[[]]]", [{}, [{}]]),
    ('{"a":1}', {"a": 1}),
    ('{ "a" : { "b" : [ ] } }', {"a": {"b": {}}}),
    ('{"":0}', {"": 0}),
    ('{"a\\u0000b":1}', {"a\0b": 1}),
    ('{"a":null}', {}),
    ('{"a":null,"b":1}', {"b": 1}),
    ('{"a":1,"a":2}', {"a": 2}),
    ('{"a":1,"b":5,"a":null}', {"b": 5}),
    ('{"a":null,"a":3}', {"a": 3}),
]


@pytest.mark.parametrize(("text", "value"), ACCEPTED, ids=[text[:24] for text, _ in ACCEPTED])
def test_accepted(codec: Codec, text: str, value: Any) -> None:
    got = codec.decode(text)
    assert got == value
    assert type(got) is type(value)


REFUSED: list[tuple[str | bytes, str]] = [
    ("", "line 1, column 1: expected a value, found the end of the text"),
    ("  ", "line 1, column 3: expected a value, found the end of the text"),
    ("nul", "line 1, column 1: expected a value, found 'n'"),
    ("True", "line 1, column 1: expected a value, found 'T'"),
    ("NaN", "line 1, column 1: expected a value, found 'N'"),
    ("-Infinity", "line 1, column 2: expected a digit, found 'I'"),
    ("'a'", "line 1, column 1: expected a value, found '''"),
    ("\x00", "line 1, column 1: expected a value, found the byte 0x00"),
    ("\x0c1", "line 1, column 1: expected a value, found the byte 0x0C"),
    ("\u00a01", "line 1, column 1: expected a value, found the byte 0xC2"),
    ("1 2", "line 1, column 3: expected nothing after the value, found '2'"),
    ("nullx", "line 1, column 5: expected nothing after the value, found 'x'"),
    ("1 // no", "line 1, column 3: expected nothing after the value, found '/'"),
    ("[1", "line 1, column 3: expected ',' or ']', found the end of the text"),
    ("[1,", "line 1, column 4: expected a value, found the end of the text"),
    ("[1,]", "line 1, column 4: expected a value, found ']'"),
    ("[,1]", "line 1, column 2: expected a value, found ','"),
    ("[1 2]", "line 1, column 4: expected ',' or ']', found '2'"),
    ("[1}", "line 1, column 3: expected ',' or ']', found '}'"),
    ("]", "line 1, column 1: expected a value, found ']'"),
    ("{", "line 1, column 2: expected a key in double quotes, found the end of the text"),
    ('{"a":1,}', "line 1, column 8: expected a key in double quotes, found '}'"),
    ("{a:1}", "line 1, column 2: expected a key in double quotes, found 'a'"),
    ("{1:1}", "line 1, column 2: expected a key in double quotes, found '1'"),
    ('{"a" 1}', "line 1, column 6: expected ':' after a key, found '1'"),
    ('{"a":}', "line 1, column 6: expected a value, found '}'"),
    ('{"a":1 "b":2}', "line 1, column 8: expected ',' or '}', found '\"'"),
    ('{"a":1]', "line 1, column 7: expected ',' or '}', found ']'"),
    ('{\n  "a": 1,\n  "b": 01\n}', "line 3, column 8: a number may not begin with 0"),
    ("01", "line 1, column 1: a number may not begin with 0"),
    ("-01", "line 1, column 2: a number may not begin with 0"),
    ("00", "line 1, column 1: a number may not begin with 0"),
    ("+1", "line 1, column 1: expected a value, found '+'"),
    (".5", "line 1, column 1: expected a value, found '.'"),
    ("-", "line 1, column 2: expected a digit, found the end of the text"),
    ("-.5", "line 1, column 2: expected a digit, found '.'"),
    ("1.", "line 1, column 3: expected a digit after the point, found the end of the text"),
    ("1.e5", "line 1, column 3: expected a digit after the point, found 'e'"),
    ("1e", "line 1, column 3: expected a digit in the exponent, found the end of the text"),
    ("1e+", "line 1, column 4: expected a digit in the exponent, found the end of the text"),
    ("0x10", "line 1, column 2: expected nothing after the value, found 'x'"),
    ("1_000", "line 1, column 2: expected nothing after the value, found '_'"),
    ("[1e400]", "line 1, column 2: the number is too large for a float"),
    ("-1e309", "line 1, column 1: the number is too large for a float"),
    ("1" * 310, "line 1, column 1: the number is too large for a float"),
    ('"abc', "line 1, column 5: the string has no end"),
    ('"abc\\', "line 1, column 6: the string has no end"),
    ('"abc\\"', "line 1, column 7: the string has no end"),
    ('"a\nb"', "line 1, column 3: control characters in a string must be escaped"),
    ('"a\tb"', "line 1, column 3: control characters in a string must be escaped"),
    ('"\x00"', "line 1, column 2: control characters in a string must be escaped"),
    ('"\\x41"', "line 1, column 2: there is no such escape in JSON"),
    ('"\\\'"', "line 1, column 2: there is no such escape in JSON"),
    ('"\\u12"', "line 1, column 2: \\u must be followed by four hexadecimal digits"),
    ('"\\u12g4"', "line 1, column 2: \\u must be followed by four hexadecimal digits"),
    ('"\\u', "line 1, column 2: \\u must be followed by four hexadecimal digits"),
    ('"\\ud800"', "line 1, column 2: half of a surrogate pair stands alone"),
    ('"\\udc00"', "line 1, column 2: half of a surrogate pair stands alone"),
    ('"\\ud800\\u0041"', "line 1, column 2: half of a surrogate pair stands alone"),
    ('"\\ud800\\ud800"', "line 1, column 2: half of a surrogate pair stands alone"),
    ('"\\udfff\\ud800"', "line 1, column 2: half of a surrogate pair stands alone"),
    (b"\xef\xbb\xbf1", "line 1, column 1: the text begins with a byte order mark, which JSON may not"),
    ('\ufeff"a"', "line 1, column 1: the text begins with a byte order mark, which JSON may not"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[repr(text)[:24] for text, _ in REFUSED])
def test_refused(codec: Codec, text: str | bytes, message: str) -> None:
    with pytest.raises(NotJson) as refusal:
        codec.decode(text)
    assert str(refusal.value) == message


BAD_UTF8 = [
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc3",
    b"\xc3\x28",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xe2\x82",
    b"\xe2\x28\xa1",
    b"\xe2\x82\x28",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x90\x28\xbc",
    b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff",
]


@pytest.mark.parametrize("bad", BAD_UTF8)
@pytest.mark.parametrize("before", [0, 3, 15, 16, 40])
def test_bad_utf8_is_refused_wherever_it_stands(codec: Codec, bad: bytes, before: int) -> None:
    for after in (b"", b"x" * 20):
        with pytest.raises(NotJson, match=f"line 1, column {before + 2}: the text is not UTF-8"):
            codec.decode(b'"' + b"x" * before + bad + after + b'"')


BROKEN = [
    *(b"\x80", b"\xc1\x80", b"\xe3\x81", b"\xe0\x9f\xbf", b"\xed\xa0\x80"),
    *(b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x8f\xbf\xbf"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=bytes.hex)
@pytest.mark.parametrize("around", ["é", "語", "😀", "語é a"], ids=["two", "three", "four", "mixed"])
def test_bad_utf8_is_found_at_every_place_of_a_long_text(codec: Codec, around: str, broken: bytes) -> None:
    # Long texts are checked in blocks: what is wrong may lie in one, end one, or begin in one and end in the next.
    for ascii in range(3):
        for characters in range(1, 24):
            text = (around * characters).encode() + b"x" * ascii + broken + (around * 20).encode()
            with pytest.raises(UnicodeDecodeError) as python:
                text.decode()
            with pytest.raises(NotJson, match=rf"^line 1, column {python.value.start + 2}: the text is not UTF-8$"):
                codec.decode(b'"' + text + b'"')
            with pytest.raises(NotJson, match="^cannot encode a string that is not UTF-8"):
                codec.step({"encode": True, "value": text})


@pytest.mark.parametrize(
    "good", ["\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"]
)
def test_the_ends_of_utf8_are_accepted(codec: Codec, good: str) -> None:
    assert codec.decode(f'"{good}"') == good
    assert codec.decode(f'"xx{good}{good}xx"') == f"xx{good}{good}xx"


def test_depth(codec: Codec) -> None:
    assert codec.again("[" * 128 + "]" * 128) == "[" * 128 + "]" * 128
    for text, column in (("[" * 129 + "]" * 129, 129), ('{"a":' * 129 + "1" + "}" * 129, 641), ("[" * 100_000, 129)):
        with pytest.raises(NotJson, match=f"line 1, column {column}: nested more than 128 levels deep"):
            codec.decode(text)


def test_null_in_an_array_keeps_its_place(codec: Codec) -> None:
    assert codec.again("[null,1,null]") == "[null,1,null]"
    assert codec.again("[null]") == "[null]"


def test_empty_object_stays_one(codec: Codec) -> None:
    assert codec.again('{"a":{},"b":[],"c":{"x":null}}') == '{"a":{},"b":[],"c":{}}'
    assert codec.again("{}") == "{}"
    assert codec.again("[]") == "[]"


def test_minus_zero_keeps_its_sign(codec: Codec) -> None:
    assert math.copysign(1, codec.decode("-0")) == -1
    assert codec.again("[-0,-0.0,0.0]") == "[-0,-0,0]"


@pytest.mark.parametrize("count", [1, 8, 9, 63, 64, 65, 1023, 1024, 1025, 5000])
def test_containers_of_all_sizes(codec: Codec, count: int) -> None:
    array = list(range(count))
    object_ = {f"key{i}": i for i in range(count)}
    assert codec.decode(json.dumps(array)) == array
    assert codec.decode(json.dumps(object_)) == object_
    # Siblings: the second gets its table in the size of the first, and has more or fewer members.
    siblings = [object_, {"a": 1}, object_, {}, {"b": {"c": 1}}]
    assert json.loads(codec.again(json.dumps(siblings))) == siblings


def test_equal_keys_in_long_objects(codec: Codec) -> None:
    members = [f'"k{i % 700}":{i}' for i in range(3000)]
    text = "{" + ",".join(members) + "}"
    assert codec.decode(text) == json.loads(text)
    assert codec.decode(f"[{text},{text}]") == [json.loads(text)] * 2


def normal(value: Any) -> Any:
    """What the codec makes of a JSON value, in Python's terms."""
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=40)


@relaxed
@given(values, st.booleans(), st.sampled_from([None, 0, 2]))
def test_text_that_python_writes_comes_back_the_same(
    codec: Codec, value: Any, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert json.loads(codec.again(text)) == normal(value)


def no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


@relaxed
@given(st.binary(max_size=60) | st.text('[]{}",:\\u0123456789eE+-. \ntrufalsn', max_size=40).map(str.encode))
def test_any_bytes_mean_what_they_mean_to_python_or_are_refused(codec: Codec, data: bytes) -> None:
    try:
        expected = json.loads(data.decode("utf-8"), parse_constant=no_constant)
    except (ValueError, RecursionError):
        with pytest.raises(NotJson):
            codec.decode(data)
        return
    try:
        got = codec.again(data)
    except NotJson as refusal:
        # Python lets these pass.
        assert "surrogate" in str(refusal) or "too large for a float" in str(refusal)
        return
    assert json.loads(got) == normal(expected)


@relaxed
@given(values, st.integers(0, 10_000), st.integers(0, 255))
def test_damaged_text_never_harms(codec: Codec, value: Any, position: int, byte: int) -> None:
    data = bytearray(json.dumps(value, ensure_ascii=False).encode())
    data[position % len(data)] = byte
    for damaged in (bytes(data), bytes(data[: position % len(data)])):
        try:
            codec.again(damaged)
        except NotJson as refusal:
            assert str(refusal).startswith("line ")


def test_what_is_no_string_is_refused(run_lua: Any) -> None:
    script = """
    local core = ...
    local messages = {}
    for i, value in ipairs{{}, 1, true} do messages[i] = select(2, core.json_decode(value)) end
    return messages, select(2, core.json_decode(nil))
    """
    assert run_lua(script) == [
        ["expected a string, got table", "expected a string, got number", "expected a string, got boolean"],
        "expected a string, got nil",
    ]


def test_null_is_no_error(run_lua: Any) -> None:
    script = """
    local core = ...
    local value, wrong = core.json_decode("null")
    return value == nil and wrong == nil, core.json_decode("[null]")[1] == core.json_null
    """
    assert run_lua(script) == [True, True]


def test_types_in_lua(run_lua: Any) -> None:
    script = """
    local core = ...
    local kinds = {}
    for i, v in ipairs(core.json_decode('[1, 1.0, 1e0, -9223372036854775808, 9223372036854775808, "1"]')) do
        kinds[i] = math.type(v) or type(v)
    end
    return kinds
    """
    assert run_lua(script) == [["integer", "float", "float", "integer", "float", "string"]]


def test_a_decoded_object_serves_as_a_metatable(run_lua: Any) -> None:
    # Lua remembers of every table which metamethods it has not: one that is filled behind its back must not stay so.
    script = """
    local core = ...
    local inherited = {}
    for i, object in ipairs(core.json_decode("[" .. string.rep('{"__index":{"a":1},"b":2}', 40, ",") .. "]")) do
        inherited[i] = setmetatable({}, object).a
    end
    return inherited
    """
    assert run_lua(script) == [[1] * 40]


def test_decoding_is_charged_and_bounded_by_memory(run_lua: Any) -> None:
    text = "local core = ...; local s = string.rep('[1],', 1000000); return (core.json_decode('[' .. s .. '1]'))"
    with pytest.raises(_core.LuaViolation, match="memory limit exceeded"):
        run_lua(text, memory_limit=32 << 20)
    with pytest.raises(_core.LuaViolation, match="instruction budget exceeded"):
        run_lua(text, instruction_limit=200_000, memory_limit=256 << 20)
