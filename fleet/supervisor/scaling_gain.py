"""Whether more permits are of use. A slow database is not made faster by more callers, a broken one is not mended."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_LEAST_TASKS = 20
_LEAST_TO_TRY = 12
_PROVEN = 10
_LONG_SECONDS = 20.0
_ENOUGH_GROWTH = 1.5
_LEAST_SHARE = 0.2
_MEMORY_SECONDS = 60.0
_FAILING, _RECOVERED = 0.9, 0.5
_FORGET = 0.95


@dataclass
class _Level:
    """What was finished with a number of permits, all of them busy."""

    permits: int
    until: float
    finished: float = 0.0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.finished / self.seconds

    def add(self, now: float, finished: int, seconds: float) -> None:
        self.until = now
        self.finished += finished
        self.seconds += seconds
        if self.seconds > _MEMORY_SECONDS:
            # What was long ago counts less: the tasks of an hour ago were others.
            self.finished, self.seconds = self.finished / 2, self.seconds / 2


class Gain:
    """Compares rates of one queue with more and with fewer permits, and sets a ceiling where more bring nothing.

    They bring nothing if the rate rises by less than a fifth of what the permits do. A queue that was all busy for long
    without growth is tried with two thirds of its permits for a while. A ceiling falls after `retry_after` seconds, and
    growth is tried anew.
    """

    def __init__(self, retry_after: float) -> None:
        self._retry_after = retry_after
        self._levels: list[_Level] = []
        self._ceiling: int | None = None
        self._until = -math.inf
        self._tried: _Level | None = None
        self._known: int | None = None
        self._proven_until = -math.inf

    def ceiling(self, now: float) -> int | None:
        """The most permits that are of use, None when nothing is known against more."""
        return self._ceiling if now < self._until else None

    @property
    def trying(self) -> bool:
        """Whether the ceiling is a trial of fewer permits."""
        return self._tried is not None

    def observe(self, now: float, permits: int, finished: int, seconds: float, busy: float) -> bool:
        """Take in what was finished in the last `seconds` under `permits`, of which `busy` were busy on average.

        finished: without what failed. Only for times when all permits were busy: with permits to spare the rate is that
        of the arrivals, and says nothing about the permits. True when a ceiling was set.
        """
        if busy > permits + 1:
            # More is still in hand than there are permits now.
            return False
        if not self._levels or self._levels[-1].permits != permits:
            self._levels.append(_Level(permits, now))
        self._levels = [level for level in self._levels if now - level.until <= _MEMORY_SECONDS]
        level = self._levels[-1]
        level.add(now, finished, seconds)
        # Sooner the rate is still that of tasks that began before.
        if level.finished < max(_LEAST_TASKS, 2 * permits):
            return False
        if self._tried is not None:
            return self._judge_fewer(now, level, self._tried)
        return self._judge_more(now, level)

    def forget(self) -> None:
        """The queue has permits to spare, or fails: a later comparison begins anew."""
        self._levels.clear()
        self._proven_until = -math.inf
        if self._tried is not None:
            self._tried, self._ceiling = None, self._known

    def _judge_more(self, now: float, level: _Level) -> bool:
        before = [other for other in self._levels if other.permits * _ENOUGH_GROWTH <= level.permits]
        finished = sum(other.finished for other in before)
        if finished < _LEAST_TASKS:
            return self._try_fewer(now, level)
        seconds = sum(other.seconds for other in before)
        permits = sum(other.permits * other.seconds for other in before) / seconds
        gained = level.rate / (finished / seconds) - 1
        self._levels = [level]
        if gained >= (level.permits / permits - 1) * _LEAST_SHARE:
            return False
        self._set(math.ceil(permits * (1 + max(0.0, gained))), now)
        return True

    def _try_fewer(self, now: float, level: _Level) -> bool:
        if now < self._proven_until or level.permits < _LEAST_TO_TRY or level.seconds < _LONG_SECONDS:
            return False
        self._tried, self._known = replace(level), self.ceiling(now)
        self._set(int(level.permits / _ENOUGH_GROWTH), now)
        return True

    def _judge_fewer(self, now: float, level: _Level, tried: _Level) -> bool:
        self._tried = None
        if level.permits >= tried.permits:
            return False
        gained = tried.rate / level.rate - 1
        self._levels = [level]
        if gained >= (tried.permits / level.permits - 1) * _LEAST_SHARE:
            self._proven_until = now + _PROVEN * self._retry_after
            self._ceiling = self._known
            return False
        self._set(level.permits, now)
        return True

    def _set(self, ceiling: int, now: float) -> None:
        self._ceiling, self._until = ceiling, now + self._retry_after


class Failures:
    """Whether nearly all tasks of one queue fail: then more permits would only fail faster."""

    def __init__(self) -> None:
        self._share = 0.0
        self.failing = False

    def observe(self, finished: int, failed: int) -> None:
        """Take in how many tasks ended, and how many of them failed; each counts more than those before it."""
        if finished:
            self._share += (min(1.0, failed / finished) - self._share) * (1 - _FORGET**finished)
        self.failing = self._share > (_RECOVERED if self.failing else _FAILING)
