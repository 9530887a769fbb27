"""uuid against Python's uuid: what is made, what is read, and the same ones on every replay (lua_api.md 9)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from virtual_runs import START, ScriptError

Runs = Callable[..., Any]

V1 = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.mark.parametrize("version", [1, 4, 7])
def test_generated_ones(either: Runs, version: int) -> None:
    texts = either(f"local t = {{}} for i = 1, 200 do t[i] = uuid.v{version}() end return t").finish()
    assert len(set(texts)) == 200
    for text in texts:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, version, uuid.RFC_4122)
    assert either(f"return select('#', uuid.v{version}())").finish() == 2


def test_random_bits_are_random(either: Runs) -> None:
    ones = [0] * 128
    for text in either("local t = {} for i = 1, 400 do t[i] = uuid.v4() end return t").finish():
        for bit in range(128):
            ones[bit] += uuid.UUID(text).int >> bit & 1
    fixed = {76, 77, 78, 79, 62, 63}
    assert all(120 < count < 280 for bit, count in enumerate(ones) if bit not in fixed)


def test_version_1_tells_the_time(either: Runs) -> None:
    first, second, later, parsed = either("""
        local a, b = uuid.v1(), uuid.v1()
        time.sleep("1h")
        return {a, b, uuid.v1(), uuid.parse(a)}
    """).finish()
    gregorian = 0x01B21DD213814000
    assert (uuid.UUID(first).time - gregorian) * 100 == START // 100 * 100
    assert uuid.UUID(second).time == uuid.UUID(first).time + 1
    assert uuid.UUID(later).time == uuid.UUID(first).time + 36_000_000_000
    assert uuid.UUID(first).node == uuid.UUID(later).node
    assert uuid.UUID(first).node >> 40 & 1, "a random node is marked as a multicast address"
    assert parsed == {
        "version": 1,
        "variant": "RFC4122",
        "timestamp": START // 10**9,
        "node": f"{uuid.UUID(first).node:012x}",
    }


def test_version_7_tells_the_time_and_keeps_the_order(either: Runs) -> None:
    texts, parsed = either("""
        local t = {}
        for i = 1, 5000 do t[i] = uuid.v7() end
        time.sleep("1h")
        t[#t + 1] = uuid.v7()
        return {t, uuid.parse(t[1])}
    """).finish()
    assert texts == sorted(texts)
    assert uuid.UUID(texts[0]).int >> 80 == START // 10**6
    assert uuid.UUID(texts[-1]).int >> 80 == START // 10**6 + 3_600_000
    assert parsed == {"version": 7, "variant": "RFC4122", "timestamp": START // 10**9}


def test_the_seed_of_the_run_decides(workflow: Runs) -> None:
    body = "return {uuid.v1(), uuid.v4(), uuid.v7()}"
    assert workflow(body, seed=1).finish() == workflow(body, seed=1).finish()
    assert workflow(body, seed=1).finish()[1] != workflow(body, seed=2).finish()[1]


@pytest.mark.parametrize("name", ["", "example.com", "日本語", "a" * 1000])
def test_named_ones(either: Runs, name: str) -> None:
    assert either(f'local n = ... return {{uuid.v3("{V1}", n), uuid.v5("{V1.upper()}", n)}}', (name,)).finish() == [
        str(uuid.uuid3(uuid.UUID(V1), name)),
        str(uuid.uuid5(uuid.UUID(V1), name)),
    ]


def test_names_of_any_bytes(workflow: Runs) -> None:
    text = workflow(f'local v = uuid.v5("{V1}", "\\xff\\0\\xfe") return v').finish()
    digest = hashlib.sha1(uuid.UUID(V1).bytes + b"\xff\0\xfe").digest()
    assert text == str(uuid.UUID(bytes=digest[:16], version=5))


def test_a_namespace_that_is_no_uuid(either: Runs) -> None:
    for version in (3, 5):
        assert either(
            f'local v, err = uuid.v{version}("dns", "x") return {{tostring(v), err:kind(), err:message()}}'
        ).finish() == [
            "nil",
            "INVALID",
            'invalid UUID "dns": expected a form such as 018f0d4e-7a3b-7c21-9f44-1c2d3e4f5a6b',
        ]


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (V1, True),
        (V1.upper(), True),
        (V1.replace("-", ""), True),
        ("urn:uuid:" + V1, True),
        ("URN:UUID:" + V1, True),
        ("{" + V1 + "}", True),
        ("", False),
        (V1[:-1], False),
        (V1 + "0", False),
        (" " + V1, False),
        (V1.replace("6", "g"), False),
        ("6ba7b8109-dad-11d1-80b4-00c04fd430c8", False),
        ("6ba7b810-9dad-11d1-80b400c04f-d430c8", False),
        ("(" + V1 + ")", False),
        ("{" + V1, False),
        ("urn:uuid:{" + V1 + "}", False),
        (5, False),
        (None, False),
        ([], False),
        ("-" * 36, False),
    ],
)
def test_validate(either: Runs, text: Any, valid: bool) -> None:
    assert either("return uuid.validate((...))", (text,)).finish() is valid


@pytest.mark.parametrize(
    ("text", "version", "variant"),
    [
        (V1, 1, "RFC4122"),
        ("00000000-0000-0000-0000-000000000000", 0, "Reserved"),
        ("6ba7b810-9dad-41d1-40b4-00c04fd430c8", 4, "Reserved"),
        ("6ba7b810-9dad-41d1-c0b4-00c04fd430c8", 4, "Microsoft"),
        ("6ba7b810-9dad-41d1-f0b4-00c04fd430c8", 4, "Future"),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", 15, "Future"),
    ],
)
def test_version_and_variant(either: Runs, text: str, version: int, variant: str) -> None:
    assert either(
        "local t = ... return {uuid.version(t), uuid.variant(t), uuid.parse(t).version, uuid.parse(t).variant}", (text,)
    ).finish() == [version, variant, version, variant]


def test_parse_of_version_4_has_neither_time_nor_node(either: Runs) -> None:
    assert either("return uuid.parse(uuid.v4())").finish() == {"version": 4, "variant": "RFC4122"}


def test_format(either: Runs) -> None:
    assert either(
        """
        local t = ...
        return {uuid.format(t), uuid.format(t, "standard"), uuid.format("{" .. t .. "}", "simple"),
            uuid.format(t:gsub("-", ""), "urn")}
    """,
        (V1.upper(),),
    ).finish() == [V1, V1, V1.replace("-", ""), "urn:uuid:" + V1]


@pytest.mark.parametrize(
    "call",
    [
        "version('x')",
        "version(5)",
        "variant('x')",
        "variant(nil)",
        "parse('')",
        "parse({})",
        "format('x')",
        f"format('{V1}', 'long')",
    ],
)
def test_what_cannot_be_read_is_invalid(either: Runs, call: str) -> None:
    assert either(f"local v, err = uuid.{call} return {{tostring(v), err:kind()}}").finish() == ["nil", "INVALID"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("v5(5, 'x')", "bad argument #1 to 'v5' (string expected, got number)"),
        (f"v3('{V1}')", "bad argument #2 to 'v3' (string expected, got no value)"),
        (f"format('{V1}', 5)", "bad argument #2 to 'format' (string expected, got number)"),
    ],
)
def test_wrong_types_raise(either: Runs, call: str, message: str) -> None:
    with pytest.raises(ScriptError) as raised:
        either(f"local v = uuid.{call} return v").finish()
    assert str(raised.value) == f"script.lua:1: {message}"
