"""Compiled time zone files (RFC 8536): transitions, and the rule in the footer for the time after the last of them."""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

FOREVER = (1 << 63) - 1
EVER = -(1 << 63)

_DAY = 86_400
# The Gregorian calendar repeats after 400 years, weekdays included: rules are computed in a year that `date` has.
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Span:
    """An offset and when it holds.

    Attributes:
        offset: seconds east of UTC.
        abbreviation: such as CET; like +03 where nobody uses one.
        dst: is it daylight saving time?
        start, end: seconds since 1970, end not included.
    """

    offset: int
    abbreviation: str
    dst: bool
    start: int = EVER
    end: int = FOREVER


class ZoneRules:
    """The history and future of one zone."""

    def __init__(self, spans: list[Span], rule: YearlyRule | None) -> None:
        self._spans = spans
        self._starts = [span.start for span in spans]
        self._rule = rule

    def at(self, unix: int) -> Span:
        """The span that holds at ``unix`` seconds since 1970."""
        span = self._spans[bisect_right(self._starts, unix) - 1]
        if self._rule is None or span is not self._spans[-1]:
            return span
        found = self._rule.at(unix)
        return Span(found.offset, found.abbreviation, found.dst, max(found.start, span.start), found.end)

    def kinds(self) -> Iterator[Span]:
        """Each kind of time that the zone has known, the oldest first; start and end mean nothing."""
        seen = set()
        future = (self._rule.standard, self._rule.daylight) if self._rule else ()
        for span in (*self._spans, *future):
            kind = (span.offset, span.abbreviation)
            if kind not in seen:
                seen.add(kind)
                yield span


def parse_tzif(data: bytes) -> ZoneRules:
    """The rules in a file of version 2 or later. Raises ValueError if it is none."""
    counts, body = _header(data, 0)
    if data[4:5] < b"2":
        raise ValueError("the time zone file is of version 1: it ends in 2037")
    # The first block has 32-bit times for old readers.
    counts, body = _header(data, body + _block_size(counts, 4))
    utc_marks, standard_marks, leaps, times, types, characters = counts
    transitions = struct.unpack_from(f">{times}q", data, body)
    body += 8 * times
    indexes = data[body : body + times]
    body += times
    kinds = [struct.unpack_from(">iBB", data, body + 6 * i) for i in range(types)]
    body += 6 * types
    names = data[body : body + characters]
    footer = data[body + characters + 12 * leaps + standard_marks + utc_marks :].strip(b"\n").decode()

    def span(kind: int, start: int, end: int) -> Span:
        offset, dst, name = kinds[kind]
        return Span(offset, names[name : names.index(b"\0", name)].decode(), bool(dst), start, end)

    bounds = [EVER, *transitions, FOREVER]
    spans = [span(kind, bounds[i], bounds[i + 1]) for i, kind in enumerate([0, *indexes])]
    return ZoneRules(spans, YearlyRule(footer) if "," in footer else None)


def _header(data: bytes, at: int) -> tuple[tuple[int, ...], int]:
    if data[at : at + 4] != b"TZif":
        raise ValueError("not a time zone file: no TZif header")
    return struct.unpack_from(">6I", data, at + 20), at + 44


def _block_size(counts: tuple[int, ...], time_size: int) -> int:
    utc_marks, standard_marks, leaps, times, types, characters = counts
    return times * (time_size + 1) + types * 6 + characters + leaps * (time_size + 4) + standard_marks + utc_marks


class YearlyRule:
    """A POSIX TZ string with daylight saving time, such as ``CET-1CEST,M3.5.0,M10.5.0/3``.

    Without the part after the comma there is nothing to compute: the last span of the file goes on for ever.
    """

    _NAME = r"(<[^>]+>|[A-Za-z]+)"
    _OFFSET = r"([+-]?\d+(?::\d+){0,2})"
    _SYNTAX = re.compile(rf"{_NAME}{_OFFSET}{_NAME}{_OFFSET}?,([^,]+),([^,]+)")

    def __init__(self, text: str) -> None:
        match = self._SYNTAX.fullmatch(text)
        if not match:
            raise ValueError(f"the time zone rule {text!r} is not of the form std offset dst [offset],start,end")
        standard, offset, daylight, daylight_offset, begin, end = match.groups()
        # POSIX counts offsets westward.
        east = -_seconds(offset)
        self.standard = Span(east, standard.strip("<>"), False)
        self.daylight = Span(-_seconds(daylight_offset) if daylight_offset else east + 3600, daylight.strip("<>"), True)
        self._begin, self._end = begin, end
        self._changes = lru_cache(maxsize=64)(self._compute_changes)

    def at(self, unix: int) -> Span:
        """The span that holds at ``unix``."""
        year = _year_of(unix)
        changes = [change for y in (year - 1, year, year + 1) for change in self._changes(y)]
        index = bisect_right([start for start, _ in changes], unix) - 1
        kind = changes[index][1]
        return Span(kind.offset, kind.abbreviation, kind.dst, changes[index][0], changes[index + 1][0])

    def _compute_changes(self, year: int) -> list[tuple[int, Span]]:
        cycles, simple = divmod(year - 2000, _CYCLE_YEARS)
        shift = cycles * _CYCLE_DAYS * _DAY
        begin = _rule_seconds(self._begin, 2000 + simple) - self.standard.offset
        end = _rule_seconds(self._end, 2000 + simple) - self.daylight.offset
        return sorted([(begin + shift, self.daylight), (end + shift, self.standard)], key=lambda change: change[0])


def _year_of(unix: int) -> int:
    cycles, days = divmod(unix // _DAY + _EPOCH - date(2000, 1, 1).toordinal(), _CYCLE_DAYS)
    return date.fromordinal(date(2000, 1, 1).toordinal() + days).year + cycles * _CYCLE_YEARS


def _seconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, seconds = (*map(int, text.lstrip("+-").split(":")), 0, 0)[:3]
    return sign * (hours * 3600 + minutes * 60 + seconds)


def _rule_seconds(rule: str, year: int) -> int:
    """When a date rule (Mm.w.d, Jn or n, with /time) strikes in a year, in seconds since 1970 of the local clock."""
    day, _, time = rule.partition("/")
    if day.startswith("M"):
        month, week, weekday = map(int, day[1:].split("."))
        first = date(year, month, 1)
        # isoweekday() % 7 counts from Sunday as the rule does.
        ordinal = first.toordinal() + (weekday - first.isoweekday()) % 7 + 7 * (week - 1)
        if date.fromordinal(ordinal).month != month:
            ordinal -= 7
    elif day.startswith("J"):
        # February 29 is never counted: day 60 is March 1.
        number = int(day[1:])
        leap = date(year, 12, 31).timetuple().tm_yday == 366
        ordinal = date(year, 1, 1).toordinal() + number - 1 + (1 if leap and number >= 60 else 0)
    else:
        ordinal = date(year, 1, 1).toordinal() + int(day)
    return (ordinal - _EPOCH) * _DAY + _seconds(time or "2")
