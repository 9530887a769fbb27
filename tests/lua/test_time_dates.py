"""Times and dates against Python's datetime and zoneinfo; the fields, the arithmetic, the range (lua_api.md 8)."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from virtual_runs import START, ScriptError

Runs = Callable[..., Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "America/Nuuk",
    "Asia/Gaza",
]


def zone(name: str) -> ZoneInfo:
    """The zone of the tzdata package."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def test_fields_of_utc_times_agree_with_datetime(workflow: Runs) -> None:
    numbers = random.Random(1)
    instants = [numbers.randrange(-62_135_596_800, 253_402_300_800) for _ in range(1500)]
    # The days around the ends of Februaries and years, of centuries too.
    for year in (1, 4, 100, 400, 1600, 1700, 1900, 1970, 2000, 2024, 2100, 9999):
        for month, day in ((1, 1), (2, 28), (3, 1), (12, 31)):
            instants.append(int((datetime(year, month, day, tzinfo=UTC) - EPOCH) / timedelta(seconds=1)))
    seen = workflow(
        """
        local result = {}
        for i, s in ipairs((...)) do
            local t = time.unix(s, 5)
            local y, m, d = t:date()
            local h, mi, sec = t:clock()
            result[i] = {y, m, d, h, mi, sec, t:weekday(), t:year_day(), t:year(), t:month(), t:day(),
                t:hour(), t:minute(), t:second(), t:nanosecond(), time.date(y, m, d, h, mi, sec, 5):unix()}
        end
        return result
    """,
        (instants,),
    ).finish()
    for s, fields in zip(instants, seen, strict=True):
        d = EPOCH + timedelta(seconds=s)
        date, clock = [d.year, d.month, d.day], [d.hour, d.minute, d.second]
        assert fields == [*date, *clock, d.isoweekday() % 7, d.timetuple().tm_yday, *date, *clock, 5, s]


@pytest.mark.parametrize("name", ZONES)
def test_times_in_zones_agree_with_zoneinfo(workflow: Runs, name: str) -> None:
    numbers = random.Random(name)
    instants = [numbers.randrange(-3_000_000_000, 6_000_000_000) for _ in range(400)]
    instants += [numbers.randrange(-62_000_000_000, 253_000_000_000) for _ in range(100)]
    seen = workflow(
        """
        local zone, result = time.load_location((select(2, ...))), {}
        for i, s in ipairs((...)) do
            local t = time.unix(s, 0):in_location(zone)
            local y, m, d = t:date()
            result[i] = {y, m, d, t:hour(), t:minute(), t:second(), t:format("MST -07:00:00"), t:unix(),
                time.date(y, m, d, t:hour(), t:minute(), t:second(), 0, zone):unix()}
        end
        return result
    """,
        (instants, name),
    ).finish()
    for s, fields in zip(instants, seen, strict=True):
        d = (EPOCH + timedelta(seconds=s)).astimezone(zone(name))
        offset = int((d.utcoffset() or timedelta()) / timedelta(seconds=1))
        size = abs(offset)
        text = f"{d.tzname()} {'-' if offset < 0 else '+'}{size // 3600:02}:{size // 60 % 60:02}:{size % 60:02}"
        assert fields[:8] == [d.year, d.month, d.day, d.hour, d.minute, d.second, text, s], s
        # A clock that was set back shows some times twice.
        both = {int((d.replace(fold=f).astimezone(UTC) - EPOCH) / timedelta(seconds=1)) for f in (0, 1)}
        assert fields[8] in both, s


def test_times_that_the_clock_skips_or_shows_twice_are_read_as_in_go(workflow: Runs) -> None:
    assert workflow("""
        local berlin, york = time.load_location("Europe/Berlin"), time.load_location("America/New_York")
        return {time.date(2024, 3, 31, 2, 30, 0, 0, berlin):format(time.RFC3339),
            time.date(2024, 10, 27, 2, 30, 0, 0, berlin):format(time.RFC3339),
            time.date(2024, 3, 10, 2, 30, 0, 0, york):format(time.RFC3339),
            time.date(2024, 11, 3, 1, 30, 0, 0, york):format(time.RFC3339)}
    """).finish() == [
        "2024-03-31T03:30:00+02:00",
        "2024-10-27T02:30:00+01:00",
        "2024-03-10T01:30:00-05:00",
        "2024-11-03T01:30:00-04:00",
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("2024, 13, 1, 0, 0, 0, 0", "2025-01-01T00:00:00Z"),
        ("2024, 0, 1, 0, 0, 0, 0", "2023-12-01T00:00:00Z"),
        ("2024, -11, 1, 0, 0, 0, 0", "2023-01-01T00:00:00Z"),
        ("2024, 2, 30, 0, 0, 0, 0", "2024-03-01T00:00:00Z"),
        ("2023, 2, 0, 0, 0, 0, 0", "2023-01-31T00:00:00Z"),
        ("2024, 1, 1, 25, 61, 61, 0", "2024-01-02T02:02:01Z"),
        ("2024, 1, 1, 0, 0, -1, 0", "2023-12-31T23:59:59Z"),
        ("2024, 1, 1, 0, 0, 0, 1500000000", "2024-01-01T00:00:01.5Z"),
        ("2024, 1, 1, 0, 0, 0, -1", "2023-12-31T23:59:59.999999999Z"),
        ("2024.9, 1.5, 1, 0, 0, 0, 0", "2024-01-01T00:00:00Z"),
        ("1, 1, 1, 0, 0, 0, 0", "0001-01-01T00:00:00Z"),
        ("0, 1, 1, 0, 0, 0, 0", "0000-01-01T00:00:00Z"),
        ("-44, 3, 15, 12, 0, 0, 0", "-0044-03-15T12:00:00Z"),
        ("123456, 7, 8, 9, 10, 11, 0", "123456-07-08T09:10:11Z"),
    ],
)
def test_date_normalises(workflow: Runs, arguments: str, text: str) -> None:
    assert workflow(f"return time.date({arguments}, time.utc):format(time.RFC3339NANO)").finish() == text


@pytest.mark.parametrize(
    "call",
    [
        "time.date(1 << 62, 1, 1, 0, 0, 0, 0)",
        "time.date(2024, 1, 1, math.maxinteger, 0, 0, 0)",
        "time.date(-(1 << 62), 1, 1, 0, 0, 0, 0)",
        "time.unix(math.maxinteger, 0)",
        "time.unix(math.mininteger, 0)",
        "time.unix(9000000000000000000, 0):add(time.SECOND)",
        "time.unix(-9000000000000000000, 0):add(-1)",
        "time.now():add_date(1 << 60, 0, 0)",
    ],
)
def test_times_out_of_range_are_invalid(either: Runs, call: str) -> None:
    value, kind, message = either(f"local v, err = {call} return {{tostring(v), err:kind(), err:message()}}").finish()
    assert (value, kind) == ("nil", "INVALID")
    assert message.startswith("time out of range")


def test_the_far_ends_work(workflow: Runs) -> None:
    assert workflow("""
        local t = time.unix(9000000000000000000, 999999999)
        local y, m, d = t:date()
        local h, mi, s = t:clock()
        local u = time.unix(-9000000000000000000, 0)
        return {time.date(y, m, d, h, mi, s, 999999999):equal(t), y, t:sub(u):nanoseconds() == math.maxinteger,
            u:sub(t):nanoseconds() == math.mininteger, t:after(u), u:before(t),
            t:truncate(time.parse_duration("24h")):hour()}
    """).finish() == [True, 285198648531, True, True, True, True, 0]


def test_add_and_sub_are_exact(workflow: Runs) -> None:
    numbers = random.Random(2)
    cases = []
    for _ in range(600):
        s, n = numbers.randrange(-(10**11), 10**11), numbers.randrange(10**9)
        d = numbers.choice([numbers.randrange(-(2**63), 2**63), numbers.randrange(-(10**10), 10**10)])
        cases.append([s, n, d])
    seen = workflow(
        """
        local result = {}
        for i, c in ipairs((...)) do
            local t = time.unix(c[1], c[2])
            local u = t:add(c[3])
            result[i] = {u:unix(), u:nanosecond(), u:sub(t):nanoseconds(), u:after(t), u:before(t), u:equal(t),
                t:add(time.parse_duration(c[3])):equal(u)}
        end
        return result
    """,
        (cases,),
    ).finish()
    for (s, n, d), fields in zip(cases, seen, strict=True):
        total = s * 10**9 + n + d
        assert fields == [total // 10**9, total % 10**9, d, d > 0, d < 0, d == 0, True]


def test_sub_stops_at_the_longest_duration(workflow: Runs) -> None:
    assert (
        workflow("""
        local function difference(s, n) return time.unix(s, n):sub(time.unix(0, 0)):nanoseconds() end
        local longest, shortest = math.maxinteger, math.mininteger
        return {difference(9223372036, 854775807) == longest, difference(9223372036, 854775808) == longest,
            difference(9223372036, 854775806) == longest - 1, difference(-9223372037, 145224192) == shortest,
            difference(-9223372037, 145224191) == shortest, difference(-9223372037, 145224193) == shortest + 1,
            difference(1 << 40, 0) == longest, difference(-(1 << 40), 0) == shortest}
    """).finish()
        == [True] * 8
    )


@pytest.mark.parametrize(
    ("start", "arguments", "text"),
    [
        ("2024, 1, 31", "0, 1, 0", "2024-03-02"),
        ("2023, 1, 31", "0, 1, 0", "2023-03-03"),
        ("2024, 2, 29", "1, 0, 0", "2025-03-01"),
        ("2024, 3, 31", "0, -1, 0", "2024-03-02"),
        ("2024, 12, 31", "0, 0, 1", "2025-01-01"),
        ("2024, 6, 15", "-1, 13, -14", "2024-07-01"),
    ],
)
def test_add_date_overflows_as_in_go(workflow: Runs, start: str, arguments: str, text: str) -> None:
    run = workflow(f"""
        local t = time.date({start}, 10, 11, 12, 13, time.utc):add_date({arguments})
        return t:format("2006-01-02 15:04:05.000000000")
    """)
    assert run.finish() == text + " 10:11:12.000000013"


def test_add_date_keeps_the_clock_across_a_change_of_the_offset(workflow: Runs) -> None:
    assert workflow("""
        local berlin = time.load_location("Europe/Berlin")
        local t = time.date(2024, 3, 30, 12, 0, 0, 0, berlin)
        return {t:add_date(0, 0, 1):format(time.RFC3339), t:add("24h"):format(time.RFC3339)}
    """).finish() == ["2024-03-31T12:00:00+02:00", "2024-03-31T13:00:00+02:00"]


def test_round_and_truncate_agree_with_big_integers(workflow: Runs) -> None:
    numbers = random.Random(3)
    cases = []
    for _ in range(500):
        s, n = (
            numbers.choice([numbers.randrange(-(10**12), 10**12), numbers.randrange(2 * 10**9)]),
            numbers.randrange(10**9),
        )
        d = numbers.choice(
            [numbers.randrange(1, 2**63), 10 ** numbers.randrange(1, 19), 60 * 10**9, 3600 * 10**9, 7, -5, 0]
        )
        cases.append([s, n, d])
    cases.append([0, 500_000_000, 10**9])
    seen = workflow(
        """
        local result = {}
        for i, c in ipairs((...)) do
            local t, d = time.unix(c[1], c[2]), time.parse_duration(c[3])
            local a, b = t:truncate(d), t:round(d)
            result[i] = {a:unix(), a:nanosecond(), b:unix(), b:nanosecond()}
        end
        return result
    """,
        (cases,),
    ).finish()
    zero = -62_135_596_800 * 10**9
    for (s, n, d), fields in zip(cases, seen, strict=True):
        total = s * 10**9 + n - zero
        down = rounded = total
        if d > 0:
            down = total - total % d
            rounded = down if total % d < d - total % d else down + d
        down, rounded = down + zero, rounded + zero
        assert fields == [down // 10**9, down % 10**9, rounded // 10**9, rounded % 10**9], (s, n, d)


def test_round_and_truncate_take_durations_only(either: Runs) -> None:
    for name in ("round", "truncate"):
        for given, kind in (("1000", "number"), ('"1s"', "string"), ("", "no value")):
            with pytest.raises(ScriptError, match=rf"bad argument #1 to '{name}' \(duration expected, got {kind}\)"):
                either(f"time.now():{name}({given})").finish()


def test_the_zero_time(workflow: Runs) -> None:
    assert workflow("""
        local zero = time.date(1, 1, 1, 0, 0, 0, 0, time.utc)
        return {zero:is_zero(), zero:unix(), zero:add(1):is_zero(), time.unix(0, 0):is_zero(), zero:weekday()}
    """).finish() == [True, -62135596800, False, False, 1]


def test_unix_and_unix_nano(workflow: Runs) -> None:
    assert workflow("""
        local far, err = time.date(2263, 1, 1, 0, 0, 0, 0):unix_nano()
        return {time.now():unix(), time.now():unix_nano(), time.unix(-1, 999999999):unix_nano(),
            time.unix(10.75, 1.9):unix_nano(),
            time.unix(0, -1):unix(), time.unix(0, math.maxinteger):unix_nano() == math.maxinteger,
            time.unix(-9223372037, 145224192):unix_nano() == math.mininteger, tostring(far), err:kind()}
    """).finish() == [START // 10**9, START, -1, 10_000_000_001, -1, True, True, "nil", "INVALID"]


def test_tostring_shows_instant_offset_and_zone(workflow: Runs) -> None:
    assert workflow("""
        return {tostring(time.now()), tostring(time.unix(0, 0):in_location(time.fixed_zone("", -5400))),
            type(time.now()), tostring(time.utc), time.utc:string(), tostring(time.load_location("Asia/Tokyo"))}
    """).finish() == [
        "2023-11-14 22:13:20.123456789 +0000 UTC",
        "1969-12-31 22:30:00 -0130 -0130",
        "userdata",
        "UTC",
        "UTC",
        "Asia/Tokyo",
    ]


def test_locations(either: Runs) -> None:
    assert either("""
        local berlin = time.load_location("Europe/Berlin")
        local t = time.unix(0, 0):in_location(berlin)
        local fixed = time.fixed_zone("EST", -5 * 3600)
        local f = time.unix(0, 0):in_location(fixed)
        local _, empty = time.load_location("")
        local _, unknown = time.load_location("Mars/Olympus")
        local _, up = time.load_location("../../etc/passwd")
        local _, wide = time.fixed_zone("far", 90000)
        return {t:location() == berlin, time.load_location("Europe/Berlin") == berlin, f:location() == fixed,
            f:format("15:04 MST -0700"), t:utc():location() == time.utc, time.load_location("UTC") == time.utc,
            time.load_location("Local") == time.localtz, t:in_local():location() == time.localtz, t:equal(t:utc()),
            {empty:kind(), empty:message()}, {unknown:kind(), unknown:message()}, up:kind(), wide:kind()}
    """).finish() == [
        True,
        True,
        True,
        "19:00 EST -0500",
        True,
        True,
        True,
        True,
        True,
        ["INVALID", "location name cannot be empty"],
        [
            "NOT_FOUND",
            'unknown time zone "Mars/Olympus": expected a name of the IANA database, such as "Europe/Berlin"',
        ],
        "NOT_FOUND",
        "INVALID",
    ]


def test_local_time_is_utc_in_workflows_and_the_process_zone_outside(workflow: Runs, function: Runs) -> None:
    body = """
        local t = time.date(2024, 7, 1, 12, 0, 0, 0)
        return {t:unix(), time.now():format("MST"), time.localtz:string(), time.unix(0, 0):hour(),
            time.parse(time.DATE_TIME, "2024-07-01 12:00:00"):unix(), os.date("%H %Z", 0),
            os.time{year=2024, month=7, day=1}}
    """
    noon, midnight = 1719835200, 1719792000
    utc = [noon, "UTC", "UTC", 0, noon, "00 UTC", midnight]
    assert workflow(body).finish() == utc
    assert function(body).finish() == utc
    assert function(body, tz="Asia/Tokyo").finish() == [
        noon - 32400,
        "JST",
        "Asia/Tokyo",
        9,
        noon - 32400,
        "09 JST",
        midnight - 32400,
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("time.date(2024, 1, 1)", "bad argument #4 to 'date' (integer expected, got no value)"),
        ("time.date(2024, 1, {}, 0, 0, 0, 0)", "bad argument #3 to 'date' (integer expected, got table)"),
        ("time.date(2024, 1, 1, 0, 0, 0, 0, 'UTC')", "bad argument #8 to 'date' (location expected, got string)"),
        ("time.unix(1)", "bad argument #2 to 'unix' (integer expected, got no value)"),
        ("time.unix(0/0, 1)", "bad argument #1 to 'unix' (integer expected, got number)"),
        ("time.fixed_zone(1, 2)", "bad argument #1 to 'fixed_zone' (string expected, got number)"),
        ("time.fixed_zone('X')", "bad argument #2 to 'fixed_zone' (integer expected, got no value)"),
        ("time.load_location()", "bad argument #1 to 'load_location' (string expected, got no value)"),
        ("time.now():add({})", "bad argument #1 to 'add' (duration expected, got table)"),
        ("time.now():sub(5)", "bad argument #1 to 'sub' (time expected, got number)"),
        ("time.now():after()", "bad argument #1 to 'after' (time expected, got no value)"),
        ("time.now():before('x')", "bad argument #1 to 'before' (time expected, got string)"),
        ("time.now():equal(nil)", "bad argument #1 to 'equal' (time expected, got no value)"),
        ("time.now():add_date(1, 'x', 0)", "bad argument #2 to 'add_date' (integer expected, got string)"),
        ("time.now():format()", "bad argument #1 to 'format' (string expected, got no value)"),
        ("time.now():in_location('UTC')", "bad argument #1 to 'in_location' (location expected, got string)"),
        ("time.now().year()", "bad argument to 'year' (time expected, got nil; call it with ':')"),
    ],
)
def test_wrong_types_raise_where_the_script_called(either: Runs, call: str, message: str) -> None:
    with pytest.raises(ScriptError) as raised:
        either(f"\n local v = {call}\n return v").finish()
    assert str(raised.value) == f"script.lua:2: {message}"


def test_a_bad_duration_text_for_add_is_invalid(either: Runs) -> None:
    assert either('local v, err = time.now():add("soon") return {tostring(v), err:kind()}').finish() == [
        "nil",
        "INVALID",
    ]


def test_months_and_days_and_units(either: Runs) -> None:
    assert either("""
        return {time.NANOSECOND, time.MICROSECOND, time.MILLISECOND, time.SECOND, time.MINUTE, time.HOUR, time.JANUARY,
            time.DECEMBER, time.SUNDAY, time.SATURDAY, time.KITCHEN, tostring(time.nonsense)}
    """).finish() == [1, 10**3, 10**6, 10**9, 60 * 10**9, 3600 * 10**9, 1, 12, 0, 6, "3:04PM", "nil"]


def test_fixed_zones_agree_with_datetime(workflow: Runs) -> None:
    offsets = [-43200, -34200, -1, 0, 1, 20700, 50400, 86400 - 1]
    seen = workflow(
        """
        local result = {}
        for i, offset in ipairs((...)) do
            result[i] = time.unix(1e9, 0):in_location(time.fixed_zone("X", offset)):format(time.DATE_TIME)
        end
        return result
    """,
        (offsets,),
    ).finish()
    expected = [
        datetime.fromtimestamp(10**9, timezone(timedelta(seconds=o))).strftime("%Y-%m-%d %H:%M:%S") for o in offsets
    ]
    assert seen == expected
