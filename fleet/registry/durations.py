"""Durations as Go writes them, the form that every duration field of an application has."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")

# Go and Temporal hold durations in 64-bit nanoseconds; what does not fit there cannot be sent.
_LARGEST = 2**63 - 1


def parse_duration(text: str) -> timedelta:
    """Reads a Go duration: ``1h30m``, ``250ms``, ``1.5s``, ``-5s``, ``1us``, ``0``.

    Args:
        text: a sign or none, then numbers each with a unit out of ns, us (µs), ms, s, m, h; or ``0``.

    Returns:
        The duration, rounded to whole microseconds (what ``timedelta`` holds).

    Raises:
        ValueError: with a text that names the value and shows the right form. (spec/registry.md, section 3)
    """
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return timedelta()
    if not _WHOLE.fullmatch(unsigned):
        raise ValueError(f'"{text}" is not a duration: write numbers with units, such as 250ms, 1.5s or 1h30m')
    total = sum((Fraction(number) * _NANOSECONDS[unit] for number, unit in _PART.findall(unsigned)), Fraction())
    if total > _LARGEST:
        raise ValueError(f'"{text}" is too long: at most 2562047h (292 years) can be held')
    duration = timedelta(microseconds=round(total / 1000))
    return -duration if text.startswith("-") else duration


def format_duration(duration: timedelta) -> str:
    """The duration as Go prints it: ``1h30m0s``, ``1.5s``, ``250ms``, ``0s``."""
    microseconds = duration // timedelta(microseconds=1)
    sign, microseconds = ("-", -microseconds) if microseconds < 0 else ("", microseconds)
    if microseconds == 0:
        return "0s"
    if microseconds < 1_000:
        return f"{sign}{microseconds}µs"
    if microseconds < 1_000_000:
        return f"{sign}{_decimal(microseconds, 1_000)}ms"
    minutes, rest = divmod(microseconds, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, 1_000_000)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return sign + (f"{hours}h{text}" if hours else text)


def _decimal(value: int, unit: int) -> str:
    whole, part = divmod(value, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{part:0{digits}d}".rstrip("0").rstrip(".") if part else str(whole)
