"""The zones of the tzdata package against zoneinfo, which reads the same files its own way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import pytest

from fleet.modules.tzif import EVER, FOREVER, YearlyRule, parse_tzif
from fleet.modules.zones import local_zone, zone, zone_abbreviated, zone_span

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def files() -> Iterator[tuple[str, bytes]]:
    """Every zone of the package, with its file."""
    package = resources.files("tzdata")
    for name in package.joinpath("zones").read_text("utf-8").split():
        yield name, package.joinpath("zoneinfo", *name.split("/")).read_bytes()


def test_every_zone_agrees_with_zoneinfo() -> None:
    numbers = random.Random(8)
    count = 0
    for name, data in files():
        rules = parse_tzif(data)
        path = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
        with path.open("rb") as file:
            other = ZoneInfo.from_file(file, key=name)
        instants = [numbers.randrange(-3_000_000_000, 8_000_000_000) for _ in range(30)]
        instants += [numbers.randrange(-60_000_000_000, 250_000_000_000) for _ in range(10)]
        for instant in instants:
            span = rules.at(instant)
            for t in {max(span.start, instant - 10**9), instant, min(span.end, instant + 10**9) - 1}:
                d = (EPOCH + timedelta(seconds=t)).astimezone(other)
                assert timedelta(seconds=span.offset) == d.utcoffset(), (name, t)
                assert (span.abbreviation, span.dst) == (d.tzname(), bool(d.dst())), (name, t)
        count += 1
    assert count > 400


def test_spans_follow_each_other_without_gaps() -> None:
    for name in ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Apia", "UTC"):
        span = zone_span(name, EVER)
        assert span["from"] == EVER
        for _ in range(400):
            if span["to"] == FOREVER:
                break
            after = zone_span(name, span["to"])
            assert after["from"] == span["to"]
            span = after


def test_rules_go_on_beyond_the_years_that_datetime_has() -> None:
    # 400 years are a whole number of weeks, so the rules repeat.
    cycle = 146_097 * 86_400
    for unix in (4_000_000_000, 4_010_000_000):
        near, far = zone_span("Europe/Berlin", unix), zone_span("Europe/Berlin", unix + 1000 * cycle)
        assert (near["offset"], near["to"] + 1000 * cycle) == (far["offset"], far["to"])


def test_names() -> None:
    assert zone("Europe/Berlin") and zone("UTC") and zone("Etc/GMT+5")
    for name in ("", "europe/berlin", "../zones", "Europe", "/etc/localtime", "Europe/../Europe/Berlin", b"\xff"):
        assert not zone(name)
    with pytest.raises(KeyError):
        zone_span("../zones", 0)


def test_abbreviations_mean_what_they_meant_at_the_time() -> None:
    assert zone_abbreviated("Europe/Berlin", "CET", 0) == 3600
    assert zone_abbreviated("Europe/Berlin", "CEST", 0) == 7200
    assert zone_abbreviated("Europe/Berlin", "EST", 0) is None
    # MSK was 3 hours, then 4 from 2011 to 2014, then 3 again.
    assert zone_abbreviated("Europe/Moscow", "MSK", 1_500_000_000) == 10_800
    assert zone_abbreviated("Europe/Moscow", "MSK", 1_350_000_000) == 14_400


def test_the_zone_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (
        ("Europe/Berlin", "Europe/Berlin"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("", None),
        ("CET-1CEST", None),
    ):
        monkeypatch.setenv("TZ", value)
        assert local_zone(None) == expected  # type: ignore[arg-type]
    monkeypatch.delenv("TZ")
    assert local_zone(None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "instant", "offset"),
    [
        ("EST5EDT,M3.2.0,M11.1.0", "2024-03-10T07:00", -4),
        ("EST5EDT,M3.2.0,M11.1.0", "2024-03-10T06:59", -5),
        ("EST5EDT,M3.2.0,M11.1.0", "2024-11-03T05:59", -4),
        ("EST5EDT,M3.2.0,M11.1.0", "2024-11-03T06:00", -5),
        ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-01-01T00:00", 11),
        ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2024-07-01T00:00", 10),
        ("XXX3<+01>-1,J60/0,J300/0", "2024-03-01T02:59", -3),
        ("XXX3<+01>-1,J60/0,J300/0", "2024-03-01T03:00", 1),
        ("XXX3<+01>-1,J60/0,J300/0", "2023-03-01T03:00", 1),
        ("XXX3<+01>-1,59/0,299/0", "2024-02-29T03:00", 1),
        ("XXX3<+01>-1,59/0,299/0", "2023-03-01T03:00", 1),
    ],
)
def test_rules_in_every_form(text: str, instant: str, offset: int) -> None:
    unix = int((datetime.fromisoformat(instant).replace(tzinfo=UTC) - EPOCH) / timedelta(seconds=1))
    assert YearlyRule(text).at(unix).offset == offset * 3600


def test_files_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="no TZif header"):
        parse_tzif(b"nonsense")
    data = dict(files())["Europe/Berlin"]
    with pytest.raises(ValueError, match="version 1"):
        parse_tzif(data[:4] + b"\0" + data[5:])
    with pytest.raises(ValueError, match="not of the form"):
        YearlyRule("CET-1CEST,nonsense")
