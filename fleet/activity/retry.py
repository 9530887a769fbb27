"""Retries of calls inside the process: ``with_options{retry = {...}}`` outside workflows (lua_api.md, section 5)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from fleet._core import LuaError
from fleet.registry import parse_duration


@dataclass(frozen=True)
class Retry:
    """When and how often a failed call is made again.

    Attributes:
        max_attempts: calls in all, the first one included; 0 is no limit.
        initial_delay, max_delay: seconds.
        backoff_factor: growth of the delay from attempt to attempt.
        jitter: part of the delay by which it may differ at random, 0 to 1.
        retry_kinds: if not empty, only these kinds of error are retried.
        skip_kinds: these are never retried.
    """

    max_attempts: int = 3
    initial_delay: float = 0.1
    max_delay: float = 10.0
    backoff_factor: float = 2.0
    jitter: float = 0.1
    retry_kinds: frozenset[str] = frozenset()
    skip_kinds: frozenset[str] = frozenset()

    def again(self, error: LuaError, attempt: int) -> bool:
        """Is a call to be made again whose attempt number ``attempt`` ended with ``error``?"""
        if self.max_attempts and attempt >= self.max_attempts:
            return False
        kind = _folded(error.kind)
        if kind == "CANCELED" or kind in self.skip_kinds:
            return False
        if self.retry_kinds:
            return kind in self.retry_kinds
        return error.retryable is not False or bool(error.thrown)

    def delay(self, attempt: int) -> float:
        """Seconds to wait after attempt number ``attempt``."""
        base = min(self.initial_delay * self.backoff_factor ** min(attempt - 1, 64), self.max_delay)
        return base * (1 + self.jitter * (2 * random.random() - 1))


def read_retry(given: Any) -> Retry | LuaError | None:
    """The retry of a call's options: None when there is none, an INVALID error when it is wrong."""
    if given is None or given is False:
        return None
    if not isinstance(given, dict):
        return _invalid("retry", "a table", given)
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _READERS:
            known = ", ".join(_READERS)
            return LuaError(f"invalid option retry.{name}: not a known key ({known})", "INVALID", False)
        expected, read = _READERS[name]
        try:
            values[name] = read(value)
        except (TypeError, ValueError):
            return _invalid(f"retry.{name}", expected, value)
    return Retry(**values)


def _invalid(name: str, expected: str, value: Any) -> LuaError:
    return LuaError(f"invalid option {name}: expected {expected}, got {value!r}", "INVALID", False)


def _count(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _seconds(value: Any) -> float:
    seconds = parse_duration(value).total_seconds() if isinstance(value, str) else _number(value, 0) / 1000
    if seconds < 0:
        raise ValueError
    return seconds


def _number(value: Any, least: float, most: float = float("inf")) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError
    return float(value)


def _kinds(value: Any) -> frozenset[str]:
    items = [value] if isinstance(value, str) else list(value or ())
    if (isinstance(value, dict) and value) or not all(isinstance(item, str) for item in items):
        raise ValueError
    return frozenset(map(_folded, items))


def _folded(kind: str) -> str:
    """A kind in one spelling: "NotFound" and "NOT_FOUND" are the same (decision 1)."""
    return kind.replace("_", "").upper()


_READERS: dict[str, Any] = {
    "max_attempts": ("an integer of at least 0", _count),
    "initial_delay": ("milliseconds or a duration string", _seconds),
    "max_delay": ("milliseconds or a duration string", _seconds),
    "backoff_factor": ("a number of at least 1", lambda value: _number(value, 1)),
    "jitter": ("a number from 0 to 1", lambda value: _number(value, 0, 1)),
    "retry_kinds": ("a list of kinds", _kinds),
    "skip_kinds": ("a list of kinds", _kinds),
}
