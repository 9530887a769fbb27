from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.registry import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta()),
        ("0s", timedelta()),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("250ms", timedelta(milliseconds=250)),
        ("1.5s", timedelta(seconds=1.5)),
        (".5s", timedelta(milliseconds=500)),
        ("5.s", timedelta(seconds=5)),
        ("-5s", timedelta(seconds=-5)),
        ("+5s", timedelta(seconds=5)),
        ("1us", timedelta(microseconds=1)),
        ("1µs", timedelta(microseconds=1)),
        ("1μs", timedelta(microseconds=1)),
        ("1500ns", timedelta(microseconds=2)),
        ("1m1m", timedelta(minutes=2)),
        ("0.000001h", timedelta(milliseconds=3.6)),
        ("2562047h", timedelta(hours=2562047)),
    ],
)
def test_go_durations_are_read(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "5s ", "1h 30m", ".s", "5S", "1d", "--5s", "1e3s", "five", "٣s"])
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: write numbers with units, such as 250ms, 1\.5s or 1h30m"):
        parse_duration(text)


def test_what_no_server_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match='"2562048h" is too long'):
        parse_duration("2562048h")


@pytest.mark.parametrize("text", ["0s", "1µs", "1.5ms", "250ms", "1.5s", "1m0s", "1h0m0.25s", "26h3m4s", "-1m30s"])
def test_formatting_is_what_go_prints(text: str) -> None:
    assert format_duration(parse_duration(text)) == text
