"""os: the clock and the calendar against Python's, and an explanation for everything else (lua_api.md 8)."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from virtual_runs import START, ScriptError

from fleet._core import LuaViolation

Runs = Callable[..., Any]

NOW = START // 10**9


def test_time_clock_difftime_platform(either: Runs) -> None:
    run = either("""
        local first, clock = os.time(), os.clock()
        time.sleep("90500ms")
        return {first, os.time(), clock, os.clock(), os.difftime(10, 4), math.type(os.difftime(1, 1)),
            os.platform, math.type(first)}
    """)
    assert run.finish() == [NOW, NOW + 90, 0, 90.5, 6, "float", "lua-fleet", "integer"]


def test_time_of_a_table(either: Runs) -> None:
    run = either("""
        local t = {year = 2024, month = 14, day = -3, hour = 25, min = 61}
        local seconds = os.time(t)
        return {seconds, t, os.time{}, os.time{hour = 5}, os.time{year = "2024", month = 1.0, day = 1}}
    """)
    expected = int((datetime(2025, 1, 29, 2, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1))
    midnight = NOW - NOW % 86400
    seconds, table, *rest = run.finish()
    assert seconds == expected
    assert table == {
        "year": 2025,
        "month": 1,
        "day": 29,
        "hour": 2,
        "min": 1,
        "sec": 0,
        "wday": 4,
        "yday": 29,
        "isdst": False,
    }
    assert rest == [midnight, midnight + 5 * 3600, 1704067200]


def test_date_table(either: Runs) -> None:
    assert either('return os.date("!*t", 951782400)').finish() == {
        "year": 2000,
        "month": 2,
        "day": 29,
        "hour": 0,
        "min": 0,
        "sec": 0,
        "wday": 3,
        "yday": 60,
        "isdst": False,
    }


def test_date_agrees_with_strftime(workflow: Runs) -> None:
    letters = "aAbBcCdDeFgGHIjmMnprRStTuUVwWxXyYz%"
    numbers = random.Random(7)
    instants = [numbers.randrange(-30_000_000_000, 250_000_000_000) for _ in range(300)]
    instants += [
        int(datetime(y, m, d, tzinfo=UTC).timestamp()) for y in range(1995, 2030) for m, d in ((1, 1), (1, 4), (12, 31))
    ]
    seen = workflow(
        """
        local letters, instants = ...
        local result = {}
        for i, s in ipairs(instants) do
            result[i] = {}
            for j = 1, #letters do result[i][j] = os.date("%" .. letters:sub(j, j), s) end
        end
        return result
    """,
        (letters, instants),
    ).finish()
    for s, texts in zip(instants, seen, strict=True):
        d = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
        expected = [d.strftime("%" + letter) for letter in letters]
        # C's %Y, %G and %C are not padded the same everywhere; ours are as in the years from 1000 on.
        if d.year >= 1000:
            assert texts == expected, s


def test_date_defaults_and_unknown_conversions(either: Runs) -> None:
    assert either(
        'return {os.date(), os.date("%Q %5 %E%%d"), os.date("x%"), os.date("!%H:%M:%S %Z", 3661), os.date("%s")}'
    ).finish() == ["Tue Nov 14 22:13:20 2023", "%Q %5 %E%d", "x%", "01:01:01 GMT", str(NOW)]


def test_local_time_outside_workflows(function: Runs) -> None:
    run = function(
        """
        local winter = os.time{year = 2024, month = 1, day = 1}
        local summer = os.time{year = 2024, month = 7, day = 1, hour = 12}
        return {winter, summer, os.date("%c %z %Z", summer), os.date("*t", summer).isdst, os.date("!%H", summer)}
    """,
        tz="Europe/Berlin",
    )
    assert run.finish() == [1704063600, 1719828000, "Mon Jul  1 12:00:00 2024 +0200 CEST", True, "10"]
    with resources.files("tzdata").joinpath("zoneinfo", "Europe", "Berlin").open("rb") as file:
        berlin = ZoneInfo.from_file(file)
    assert datetime(2024, 7, 1, 12, tzinfo=berlin).timestamp() == 1719828000


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("execute", "scripts cannot start programs"),
        ("exit", "return from the entry's function"),
        ("getenv", "the module env"),
        ("remove", "scripts have no files"),
        ("rename", "scripts have no files"),
        ("tmpname", "scripts have no files"),
        ("setlocale", "the C locale"),
    ],
)
def test_what_is_absent_says_what_to_use(function: Runs, workflow: Runs, name: str, hint: str) -> None:
    with pytest.raises(ScriptError, match=f"^script.lua:2: os.{name} is not available: .*{hint}"):
        function(f"\n local f = os.{name}\n return f").finish()
    # In a workflow it fails the task, not the run.
    with pytest.raises(LuaViolation, match=f"script.lua:2: os.{name} is not available: .*{hint}"):
        workflow(f"\n local f = os.{name}\n return f")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("os.time(5)", "bad argument #1 to 'time' (table expected, got number)"),
        ("os.time{year = 2024.5}", "field 'year' is not an integer"),
        ("os.time{day = {}}", "field 'day' is not an integer"),
        ("os.time{year = 1 << 60}", "time result cannot be represented in this installation"),
        ("os.date(5)", "bad argument #1 to 'date' (string expected, got number)"),
        ("os.date('%c', 'x')", "bad argument #2 to 'date' (integer expected, got string)"),
        ("os.date('%c', 1 << 62)", "date result cannot be represented in this installation"),
        ("os.difftime(1)", "bad argument #2 to 'difftime' (integer expected, got no value)"),
    ],
)
def test_wrong_arguments_raise(either: Runs, call: str, message: str) -> None:
    with pytest.raises(ScriptError) as raised:
        either(f"local v = {call} return v").finish()
    assert str(raised.value) == f"script.lua:1: {message}"


def test_names_that_lua_does_not_have_are_nil(either: Runs) -> None:
    assert either("return {tostring(os.nonsense), tostring(os[1])}").finish() == ["nil", "nil"]
