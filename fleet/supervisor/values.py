"""Values of settings as people write them: each function reads a text and raises ValueError with what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable

from fleet.registry import parse_duration

_SIZE = re.compile(r"([0-9]+)\s*(KiB|MiB|GiB|B)?")
_BYTES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def duration(text: str) -> float:
    """Seconds: ``30s``, ``1m30s``, ``0``."""
    seconds = parse_duration(text).total_seconds()
    if seconds < 0:
        raise ValueError("must not be negative")
    return seconds


def size(text: str) -> int:
    """Bytes: ``512MiB``, ``2GiB``, ``0``."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("must be a number of bytes such as 512MiB or 2GiB")
    return int(match[1]) * _BYTES[match[2] or ""]


def size_or_auto(text: str) -> int | None:
    """Bytes; None for ``auto``."""
    return None if text == "auto" else size(text)


def count(text: str) -> int:
    """A number from 0 on."""
    if not text.isdecimal():
        raise ValueError("must be a number from 0 on")
    return int(text)


def count_or_auto(text: str) -> int | None:
    """A number from 1 on; None for ``auto``."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("must be auto or a number from 1 on")
    return int(text)


def cpu_list(text: str) -> tuple[int, ...]:
    """Numbers of CPUs, ascending: ``0-3,6``; none for an empty text."""
    found: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        match = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last > 65535:
            raise ValueError("must be numbers of CPUs such as 0-3,6")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def on_or_off(text: str) -> bool:
    """``on`` or ``off``."""
    if text not in ("on", "off"):
        raise ValueError("must be on or off")
    return text == "on"


def range_or_off(text: str) -> tuple[int, int] | None:
    """The least and the most: ``2-8``, from 1 on; None for ``off``."""
    if text == "off":
        return None
    bounds = _range(text)
    if bounds is None or bounds[0] < 1:
        raise ValueError("must be two numbers from 1 on such as 2-8, or off")
    return bounds


def limits(text: str) -> tuple[tuple[str, int, int], ...]:
    """The least and the most of several: ``app:worker/activity=2-50,app:worker/workflow=4-40``."""
    found = []
    for part in filter(None, text.replace(" ", "").split(",")):
        name, _, numbers = part.rpartition("=")
        bounds = _range(numbers)
        if not name or bounds is None:
            raise ValueError("must be ENTRY/KIND=LEAST-MOST such as app:worker/activity=2-50, separated by commas")
        found.append((name, *bounds))
    return tuple(found)


def _range(text: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"([0-9]{1,7})-([0-9]{1,7})", text)
    bounds = (int(match[1]), int(match[2])) if match is not None else (1, 0)
    return bounds if bounds[0] <= bounds[1] else None


def percent(text: str) -> int:
    """A percentage from 0 to 100: ``50%`` or ``50``."""
    number = text.removesuffix("%").strip()
    if not number.isdecimal() or int(number) > 100:
        raise ValueError("must be a percentage from 0% to 100%")
    return int(number)


def address(text: str) -> tuple[str, int] | None:
    """Host and port: ``127.0.0.1:9600``; port 0 is a free one. None for ``off``."""
    if text == "off":
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("must be HOST:PORT such as 127.0.0.1:9600, or off")
    return host.strip("[]"), int(port)


def path(text: str) -> str:
    """A path; empty for none."""
    if "\0" in text:
        raise ValueError("must be a path")
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """A reader that takes one of these words."""

    def choice(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be {', '.join(choices[:-1])} or {choices[-1]}")
        return text

    return choice
