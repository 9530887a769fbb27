"""Go's layouts, both ways: format and parse, with the texts of Go's errors (lua_api.md 8)."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from virtual_runs import ScriptError

Runs = Callable[..., Any]

FORMAT = """
    local t = time.date(2009, 2, 4, 21, 0, 57, 12345600, time.load_location("America/Los_Angeles"))
    return t:format((...))
"""


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("Mon Jan _2 15:04:05 2006", "Wed Feb  4 21:00:57 2009"),
        ("Mon Jan _2 15:04:05 MST 2006", "Wed Feb  4 21:00:57 PST 2009"),
        ("Mon Jan 02 15:04:05 -0700 2006", "Wed Feb 04 21:00:57 -0800 2009"),
        ("02 Jan 06 15:04 MST", "04 Feb 09 21:00 PST"),
        ("Monday, 02-Jan-06 15:04:05 MST", "Wednesday, 04-Feb-09 21:00:57 PST"),
        ("2006-01-02T15:04:05Z07:00", "2009-02-04T21:00:57-08:00"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2009-02-04T21:00:57.0123456-08:00"),
        ("3:04PM", "9:00PM"),
        ("3:04pm", "9:00pm"),
        ("03:4:5", "09:0:57"),
        ("06 01 02", "09 02 04"),
        ("1/2/2006", "2/4/2009"),
        ("January _2, 2006", "February  4, 2009"),
        ("Jan  2 002 __2 2", "Feb  4 035  35 4"),
        ("Month Janet Monday_2006", "Month Janet Wednesday_2009"),
        ("Mon Jan _2 15:04:05.000 2006", "Wed Feb  4 21:00:57.012 2009"),
        ("05.000000", "57.012345"),
        ("05,000000000", "57,012345600"),
        ("05.999", "57.012"),
        ("05.9 05.99", "57 57.01"),
        ("05.0000000000000", "57.0123456000000"),
        ("05.999x", "57.012x"),
        ("05.9995", "57.99957"),
        (".00 .000", ".01 .012"),
        ("Z0700 Z07:00 Z07 Z070000 Z07:00:00", "-0800 -08:00 -08 -080000 -08:00:00"),
        ("-0700 -07:00 -07 -070000 -07:00:00", "-0800 -08:00 -08 -080000 -08:00:00"),
        ("no elements", "no elements"),
        ("", ""),
        ("日付 2006年01月02日", "日付 2009年02月04日"),
        ("0 7 8 9 - . , Z J M P p _ 06.", "0 7 8 9 - . , Z J M P p _ 09."),
    ],
)
def test_format(workflow: Runs, layout: str, text: str) -> None:
    assert workflow(FORMAT, (layout,)).finish() == text


def test_format_of_the_other_cases(workflow: Runs) -> None:
    assert workflow("""
        local utc = time.date(2009, 2, 4, 0, 5, 6, 0, time.utc)
        local odd = utc:in_location(time.fixed_zone("", -(3 * 3600 + 25 * 60 + 45)))
        return {utc:format("Z0700 Z07:00 Z07 -0700 MST"), utc:format("3:04PM 15.000 .999"), utc:format_rfc3339(),
            utc:add("12h"):format("3PM 03pm"), odd:format("Z07:00:00 -070000 -0700 MST"),
            time.date(-5, 1, 2, 0, 0, 0, 0, time.utc):format("2006 06"),
            time.date(12345, 1, 2, 0, 0, 0, 0, time.utc):format("2006 06")}
    """).finish() == [
        "Z Z Z +0000 UTC",
        "12:05AM 00.000 ",
        "2009-02-04T00:05:06Z",
        "12PM 12pm",
        "-03:25:45 -032545 -0325 -0325",
        "-0005 00",
        "12345 45",
    ]


def test_format_agrees_with_strftime(workflow: Runs) -> None:
    pairs = {
        "2006-01-02": "%Y-%m-%d",
        "15:04:05": "%H:%M:%S",
        "03": "%I",
        "PM": "%p",
        "Jan": "%b",
        "January": "%B",
        "Mon": "%a",
        "Monday": "%A",
        "002": "%j",
        "06": "%y",
        ".000000": ".%f",
    }
    numbers = random.Random(4)
    instants = [numbers.randrange(-30_000_000_000, 250_000_000_000) for _ in range(300)]
    seen = workflow(
        """
        local instants, layouts, result = ...
        result = {}
        for i, s in ipairs(instants) do
            result[i] = {}
            for j, layout in ipairs(layouts) do result[i][j] = time.unix(s, 123456789):format(layout) end
        end
        return result
    """,
        (instants, list(pairs)),
    ).finish()
    for s, texts in zip(instants, seen, strict=True):
        d = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=s, microseconds=123456)
        assert texts == [d.strftime(p) for p in pairs.values()]


@pytest.mark.parametrize(
    "layout",
    [
        "RFC3339NANO",
        "2006-01-02 15:04:05.000000000 -0700",
        "Monday, January _2 2006 3:04:05.999999999 PM -07:00:00",
        "2006 002 15 04 05,000000000 Z070000",
        "2006 __2 15 4 5.999999999 Z07:00:00",
        "20060102150405.000000000-070000",
        "Mon Jan 2 2006 03:04:05.999999999 pm Z07:00",
    ],
)
def test_what_was_formatted_is_parsed_again(workflow: Runs, layout: str) -> None:
    numbers = random.Random(layout)
    cases = [
        [
            numbers.randrange(-60_000_000_000, 250_000_000_000),
            numbers.randrange(10**9),
            numbers.randrange(-14, 15) * 3600 + 1800,
        ]
        for _ in range(200)
    ]
    seen = workflow(
        """
        local cases, layout = ...
        layout = time[layout] or layout
        local result = {}
        for i, c in ipairs(cases) do
            local t = time.unix(c[1], c[2]):in_location(time.fixed_zone("", c[3]))
            local u, err = time.parse(layout, t:format(layout))
            if not u or not u:equal(t) then result[#result + 1] = t:format(layout) .. ": " .. tostring(u or err) end
        end
        return {result}
    """,
        (cases, layout),
    ).finish()
    assert seen == [[]]


PARSE = """
    local t, err = time.parse((...), (select(2, ...)))
    if not t then return err:kind() .. " " .. err:message() end
    return t:format("2006-01-02 15:04:05.999999999 -0700 MST")
"""


@pytest.mark.parametrize(
    ("layout", "text", "result"),
    [
        ("2006-01-02", "2024-02-29", "2024-02-29 00:00:00 +0000 UTC"),
        ("2006-01-02T15:04:05Z07:00", "2024-02-29T10:11:12Z", "2024-02-29 10:11:12 +0000 UTC"),
        ("2006-01-02T15:04:05Z07:00", "2024-02-29T10:11:12.25+01:00", "2024-02-29 10:11:12.25 +0100 +0100"),
        ("2006-01-02T15:04:05Z07:00", "2024-02-29T10:11:12+00:00", "2024-02-29 10:11:12 +0000 UTC"),
        ("02 Jan 06 15:04 MST", "29 feb 24 10:11 UTC", "2024-02-29 10:11:00 +0000 UTC"),
        ("02 Jan 06 15:04 MST", "28 FEB 69 10:11 PST", "1969-02-28 10:11:00 +0000 PST"),
        ("02 Jan 06 15:04 MST", "28 FEB 68 10:11 GMT+3", "2068-02-28 10:11:00 +0300 GMT+3"),
        ("15:04 MST", "10:11 ChST", "0000-01-01 10:11:00 +0000 ChST"),
        ("15:04 MST", "10:11 WITA", "0000-01-01 10:11:00 +0000 WITA"),
        ("15:04 MST", "10:11 AEDT", "0000-01-01 10:11:00 +0000 AEDT"),
        ("15:04 MST", "10:11 +03", "0000-01-01 10:11:00 +0000 +03"),
        ("15:04 MST", "10:11 GMT", "0000-01-01 10:11:00 +0000 GMT"),
        ("3:04PM", "12:30AM", "0000-01-01 00:30:00 +0000 UTC"),
        ("3:04PM", "12:30PM", "0000-01-01 12:30:00 +0000 UTC"),
        ("3:04pm", "1:30pm", "0000-01-01 13:30:00 +0000 UTC"),
        ("Mon Jan _2 15:04:05 2006", "Thu Feb  4 21:00:57 2010", "2010-02-04 21:00:57 +0000 UTC"),
        ("Mon Jan _2 15:04:05 2006", "Thu     Feb 14 21:00:57 2010", "2010-02-14 21:00:57 +0000 UTC"),
        ("Monday Jan _2 2006", "tuesday feb 29 2024", "2024-02-29 00:00:00 +0000 UTC"),
        ("2006-01-02 15:04:05", "2024-01-01 00:00:00.123456789123", "2024-01-01 00:00:00.123456789 +0000 UTC"),
        ("2006-01-02 15:04:05", "2024-01-01 00:00:00,5", "2024-01-01 00:00:00.5 +0000 UTC"),
        ("2006-01-02 15:04:05.000", "2024-01-01 00:00:00.500", "2024-01-01 00:00:00.5 +0000 UTC"),
        ("2006-01-02 15:04:05.999", "2024-01-01 00:00:00", "2024-01-01 00:00:00 +0000 UTC"),
        ("2006-002", "2024-366", "2024-12-31 00:00:00 +0000 UTC"),
        ("2006-002 01", "2024-061 03", "2024-03-01 00:00:00 +0000 UTC"),
        ("-0700", "-2400", "0000-01-01 00:00:00 -2400 -2400"),
        ("2006", "0000", "0000-01-01 00:00:00 +0000 UTC"),
        ("2006 ", "2024", "2024-01-01 00:00:00 +0000 UTC"),
        # What cannot be parsed
        ("2006-01-02", "2024-13-01", 'INVALID parsing time "2024-13-01": month out of range'),
        ("2006-01-02", "2024-00-01", 'INVALID parsing time "2024-00-01": month out of range'),
        ("2006-01-02", "2023-02-29", 'INVALID parsing time "2023-02-29": day out of range'),
        ("2006-01-02", "2023-04-31", 'INVALID parsing time "2023-04-31": day out of range'),
        ("2006-01-02", "2023-04-00", 'INVALID parsing time "2023-04-00": day out of range'),
        ("15:04:05", "24:00:00", 'INVALID parsing time "24:00:00": hour out of range'),
        ("3:04", "13:00", 'INVALID parsing time "13:00": hour out of range'),
        ("15:04:05", "23:60:00", 'INVALID parsing time "23:60:00": minute out of range'),
        ("15:04:05", "23:00:60", 'INVALID parsing time "23:00:60": second out of range'),
        ("-0700", "+2500", 'INVALID parsing time "+2500": time zone offset hour out of range'),
        ("-0700", "+1061", 'INVALID parsing time "+1061": time zone offset minute out of range'),
        ("-070000", "+106061", 'INVALID parsing time "+106061": time zone offset second out of range'),
        ("2006-002", "2023-366", 'INVALID parsing time "2023-366": day-of-year out of range'),
        ("2006-002", "2023-000", 'INVALID parsing time "2023-000": day-of-year out of range'),
        ("2006-002 01", "2023-032 01", 'INVALID parsing time "2023-032 01": day-of-year does not match month'),
        ("2006-002 02", "2023-032 02", 'INVALID parsing time "2023-032 02": day-of-year does not match day'),
        (
            "2006-01-02",
            "yesterday",
            'INVALID parsing time "yesterday" as "2006-01-02": cannot parse "yesterday" as "2006"',
        ),
        ("2006-01-02", "2024/01/02", 'INVALID parsing time "2024/01/02" as "2006-01-02": cannot parse "/01/02" as "-"'),
        ("2006-01-02", "2024-1-02", 'INVALID parsing time "2024-1-02" as "2006-01-02": cannot parse "1-02" as "01"'),
        ("2006-01-02", "2024-01", 'INVALID parsing time "2024-01" as "2006-01-02": cannot parse "" as "-"'),
        ("2006-01-02", "2024-01-02T00", 'INVALID parsing time "2024-01-02T00": extra text: "T00"'),
        ("2006-01-02", "", 'INVALID parsing time "" as "2006-01-02": cannot parse "" as "2006"'),
        ("Jan", "Foo", 'INVALID parsing time "Foo" as "Jan": cannot parse "Foo" as "Jan"'),
        ("3PM", "3pm", 'INVALID parsing time "3pm" as "3PM": cannot parse "pm" as "PM"'),
        ("Z07:00", "+0100", 'INVALID parsing time "+0100" as "Z07:00": cannot parse "+0100" as "Z07:00"'),
        ("15:04 MST", "10:11 X", 'INVALID parsing time "10:11 X" as "15:04 MST": cannot parse "X" as "MST"'),
        ("05.000", "05.12", 'INVALID parsing time "05.12" as "05.000": cannot parse ".12" as ".000"'),
        ("2006 x", "2024 y", 'INVALID parsing time "2024 y" as "2006 x": cannot parse "y" as " x"'),
        ('2006"\n', "é", 'INVALID parsing time "\\xc3\\xa9" as "2006"\\x0a": cannot parse "\\xc3\\xa9" as "2006"'),
    ],
)
def test_parse(workflow: Runs, layout: str, text: str, result: str) -> None:
    assert workflow(PARSE, (layout, text)).finish() == result


def test_parse_in_a_location(workflow: Runs) -> None:
    run = workflow("""
        local york = time.load_location("America/New_York")
        local function show(layout, text)
            local t = time.parse(layout, text, york)
            return {t:utc():format("15:04"), t:format("15:04 MST"), t:location() == york}
        end
        return {
            show("2006-01-02 15:04", "2024-07-01 12:00"),
            show("2006-01-02 15:04", "2024-01-01 12:00"),
            show("2006-01-02 15:04 MST", "2024-07-01 12:00 EDT"),
            show("2006-01-02 15:04 MST", "2024-07-01 12:00 EST"),
            show("2006-01-02 15:04 MST", "2024-07-01 12:00 CEST"),
            show("2006-01-02 15:04 MST", "2024-07-01 12:00 UTC"),
            show("2006-01-02 15:04 -0700", "2024-07-01 12:00 -0400"),
            show("2006-01-02 15:04 -0700", "2024-07-01 12:00 -0500"),
            show("2006-01-02 15:04 -0700 MST", "2024-07-01 12:00 -0400 EDT"),
            show("2006-01-02 15:04 -0700 MST", "2024-07-01 12:00 -0400 XYZ"),
            show("2006-01-02 15:04 -0700 MST", "2024-07-01 12:00 +0300 XYZ"),
        }
    """)
    assert run.finish() == [
        ["16:00", "12:00 EDT", True],
        ["17:00", "12:00 EST", True],
        ["16:00", "12:00 EDT", True],
        ["17:00", "13:00 EDT", True],
        ["12:00", "12:00 CEST", False],
        ["12:00", "12:00 UTC", False],
        ["16:00", "12:00 EDT", True],
        ["17:00", "12:00 -0500", False],
        ["16:00", "12:00 EDT", True],
        ["16:00", "12:00 XYZ", False],
        ["09:00", "12:00 XYZ", False],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "bad argument #1 to 'parse' (string expected, got no value)"),
        ('"2006"', "bad argument #2 to 'parse' (string expected, got no value)"),
        ('"2006", 2024', "bad argument #2 to 'parse' (string expected, got number)"),
        ('"2006", "2024", "UTC"', "bad argument #3 to 'parse' (location expected, got string)"),
    ],
)
def test_parse_with_wrong_types_raises(either: Runs, arguments: str, message: str) -> None:
    with pytest.raises(ScriptError) as raised:
        either(f"local t = time.parse({arguments}) return t").finish()
    assert str(raised.value) == f"script.lua:1: {message}"


def test_random_layouts_and_texts_never_fail_otherwise_than_by_an_error(workflow: Runs) -> None:
    numbers = random.Random(5)
    pieces = [
        "2006",
        "06",
        "01",
        "1",
        "Jan",
        "January",
        "Mon",
        "Monday",
        "02",
        "2",
        "_2",
        "002",
        "__2",
        "15",
        "03",
        "3",
        "04",
        "4",
        "05",
        "5",
        ".000",
        ".999",
        ",0",
        "PM",
        "pm",
        "MST",
        "Z07:00",
        "-0700",
        "-07",
        " ",
        "  ",
        "-",
        ":",
        "_",
        "x",
        "Z",
        "9",
        "\xff",
        "é",
    ]
    cases = [["".join(numbers.choices(pieces, k=numbers.randrange(8))) for _ in range(2)] for _ in range(800)]
    assert (
        workflow(
            """
        local t = time.date(2024, 11, 12, 13, 14, 15, 16, time.utc)
        for _, c in ipairs((...)) do
            local ok, a, err = pcall(time.parse, c[1], c[2])
            if not ok then return c[1] .. " | " .. c[2] .. " | " .. tostring(a) end
            if a == nil and err:kind() ~= "INVALID" then return c end
            local text = t:format(c[1])
            ok, a = pcall(time.parse, c[1], text)
            if not ok then return c[1] .. " | " .. text .. " | " .. tostring(a) end
        end
        return "fine"
    """,
            (cases,),
        ).finish()
        == "fine"
    )
