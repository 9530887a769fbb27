"""Durations: parsing and printing as Go does, wherever a duration is taken (lua_api.md 8)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from virtual_runs import ScriptError

Runs = Callable[..., Any]

PARSE = "local d, err = time.parse_duration((...)) return d and {d:nanoseconds(), tostring(d)} or {err:kind()}"


@pytest.mark.parametrize(
    ("given", "nanoseconds", "text"),
    [
        ("0", 0, "0s"),
        ("+0", 0, "0s"),
        ("5s", 5_000_000_000, "5s"),
        ("1h30m45s", 5_445_000_000_000, "1h30m45s"),
        ("1.5h", 5_400_000_000_000, "1h30m0s"),
        ("-1.5s", -1_500_000_000, "-1.5s"),
        ("250ms", 250_000_000, "250ms"),
        (".5s", 500_000_000, "500ms"),
        ("1.s", 1_000_000_000, "1s"),
        ("1us", 1000, "1µs"),
        ("1.5µs", 1500, "1.5µs"),
        ("2μs", 2000, "2µs"),
        ("7ns", 7, "7ns"),
        ("100h", 360_000_000_000_000, "100h0m0s"),
        ("1m0.000000001s", 60_000_000_001, "1m0.000000001s"),
        ("0.9999999999s", 999_999_999, "999.999999ms"),
        ("9007199254.740993001s", 9_007_199_254_740_993_001, "2501999h47m34.740993001s"),
        ("9223372036854775807ns", 2**63 - 1, "2562047h47m16.854775807s"),
        ("-2562047h47m16.854775808s", -(2**63), "-2562047h47m16.854775808s"),
        ("1s1s1h", 3_602_000_000_000, "1h0m2s"),
        (1500, 1500, "1.5µs"),
        (1.6, 2, "2ns"),
        (-1, -1, "-1ns"),
    ],
)
def test_parse_duration(either: Runs, given: str | float, nanoseconds: int, text: str) -> None:
    assert either(PARSE, (given,)).finish() == [nanoseconds, text]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "5",
        "s",
        "1 h",
        " 1h",
        "1h ",
        "1x",
        "--1s",
        "1h-1m",
        ".s",
        "1..5s",
        "1.5.5s",
        "9223372036854775808ns",
        "2562048h",
        "99999999999999999999s",
        "1e3s",
        "0x10s",
        "-",
        "+",
        "9223372036s9223372036s",
        "1\x00s",
        "5S",
    ],
)
def test_what_is_no_duration(either: Runs, given: str) -> None:
    assert either(PARSE, (given,)).finish() == ["INVALID"]


def test_print_and_parse_again(workflow: Runs) -> None:
    numbers = random.Random(6)
    values = [numbers.randrange(-(2**63), 2**63) >> numbers.randrange(63) for _ in range(1000)]
    assert (
        workflow(
            """
        for _, ns in ipairs((...)) do
            local d = time.parse_duration(ns)
            local again = time.parse_duration(tostring(d))
            if d:nanoseconds() ~= ns or not again or again:nanoseconds() ~= ns then return tostring(d) end
        end
        return "fine"
    """,
            (values,),
        ).finish()
        == "fine"
    )


def test_units(either: Runs) -> None:
    assert either("""
        local d, n = time.parse_duration("1h30m45.123456789s"), time.parse_duration("-1.999999999s")
        local types = {math.type(d:milliseconds()), math.type(d:seconds()), math.type(d:hours()), type(d)}
        return {d:nanoseconds(), d:microseconds(), d:milliseconds(), d:seconds(), d:minutes(), d:hours(),
            n:microseconds(), n:milliseconds(), n:seconds(), types}
    """).finish() == [
        5_445_123_456_789,
        5_445_123_456,
        5_445_123,
        5445.123456789,
        5445.123456789 / 60,
        pytest.approx(5445.123456789 / 3600),
        -1_999_999,
        -1999,
        -1.999999999,
        ["integer", "float", "float", "userdata"],
    ]


def test_duration_objects_are_durations_everywhere(either: Runs) -> None:
    run = either("""
        local d = time.parse_duration("2s")
        time.sleep(d)
        time.timer(d):reset(d)
        return {time.parse_duration(d):nanoseconds(), time.unix(0, 0):add(d):unix(),
            time.after(d):receive():unix() % 10}
    """)
    assert run.finish()[:2] == [2_000_000_000, 2]
    assert run.armed == [2_000_000_000] * 4


def test_other_objects_are_no_durations(either: Runs) -> None:
    assert either("local d, err = time.parse_duration(time.now()) return {tostring(d), err:kind()}").finish() == [
        "nil",
        "INVALID",
    ]


def test_methods_want_a_duration(either: Runs) -> None:
    with pytest.raises(
        ScriptError, match=r"script.lua:1: bad argument to 'seconds' \(duration expected, got nil; call it with ':'\)"
    ):
        either('local v = time.parse_duration("1s").seconds() return v').finish()


def test_messages_stay_short_and_printable(workflow: Runs) -> None:
    run = workflow("""
        local _, a = time.sleep("\\xff\\0" .. ("x"):rep(1000))
        local _, b = time.load_location("\\xff")
        local _, c = uuid.version("\\xff")
        local _, d = time.parse("2006", ("y"):rep(1000))
        return {a:message(), b:message(), c:message(), d:message()}
    """)
    a, b, c, d = run.finish()
    assert a.startswith('invalid duration "\\xff\\x00xxxx') and 'x..."' in a and len(a) < 300
    assert b.startswith('unknown time zone "\\xff"') and c.startswith('invalid UUID "\\xff"')
    assert d.startswith('parsing time "yyyy') and len(d) < 300
