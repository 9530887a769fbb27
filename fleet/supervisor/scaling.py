"""How many permits each task queue of the fleet has: the control loop, without clock, processes or server.

What a queue needs is told by its slots first: only one whose permits are all busy gets more. How fast it grows is told
by the age of its backlog, then by its size, and it never gets more than what runs and what waits. A backlog alone is a
poor signal: it is near zero while workers keep up, and with free slots more permits would not shorten it. But where
tasks are shorter than the way to the server, a permit waits for its next task for most of the time, and is never busy:
there an old backlog counts as busy, as long as each permit finishes a task a second. What all need
together is cut to the budget of their kind, fairly: nobody starves beside a queue that could use everything.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .page import Kind
from .scaling_gain import Failures, Gain
from .scaling_shares import fill
from .scaling_stats import QueueStats, TaskQueue

_ALL_BUSY = 0.85
_TARGET_USE = 0.75
_STEP = 0.25
_BLIND_STEP = 0.5
_DEADBAND = 0.1


class Reason(StrEnum):
    """Why permits changed; a label of the metric of decisions."""

    OLD_BACKLOG = "old_backlog"
    BUSY = "busy"
    HEADROOM = "headroom"
    IDLE = "idle"
    BUDGET = "budget"
    NO_GAIN = "no_gain"
    FAILING = "failing"
    BOUNDS = "bounds"


_AT_ONCE = (Reason.NO_GAIN, Reason.FAILING)


@dataclass(frozen=True)
class Tuning:
    """How the loop decides.

    Attributes:
        target_age: a backlog whose first task has waited so long (seconds) makes growth as fast as it can be.
        down_after: permits that were not needed for so long (seconds) are taken away.
        retry_after: after growth that brought no more finished tasks it is tried anew after so long (seconds).
    """

    target_age: float = 5.0
    down_after: float = 30.0
    retry_after: float = 60.0


@dataclass(frozen=True)
class Bounds:
    """The least and the most permits of a queue in the whole fleet. A most of 0 is the wish to stop it."""

    minimum: int
    maximum: int


@dataclass(frozen=True)
class Reading:
    """What a queue did since the last look.

    Attributes:
        busy: permits that tasks had on average.
        finished: tasks that ended.
        failed: of these, activities that failed.
        seconds: since the last look.
        committed: permits that workers may hold or still hold now.
        stats: what the server says, None when it did not say anything lately.
    """

    busy: float
    finished: int
    failed: int
    seconds: float
    committed: int
    stats: QueueStats | None = None


@dataclass(frozen=True)
class Decision:
    """A change with its reason.

    Attributes:
        queue: whose permits changed.
        before: how many it had in the fleet.
        after: how many it has.
        reason: why, as a word of few.
        text: why, with the figures.
    """

    queue: TaskQueue
    before: int
    after: int
    reason: Reason
    text: str

    def __str__(self) -> str:
        change = f"{self.before} -> {self.after}"
        return f"permits of {self.queue}: {change} ({self.reason}): {self.text}"


@dataclass(frozen=True)
class _Need:
    permits: int
    reason: Reason
    text: str
    wished: int
    """Before the bounds of the queue."""


class _Queue:
    """What the loop remembers of one queue."""

    def __init__(self, tuning: Tuning) -> None:
        self.granted = 0
        self.wanting = False
        self._tuning = tuning
        self._gain = Gain(tuning.retry_after)
        self._failures = Failures()
        self._peaks: deque[tuple[float, int]] = deque()

    def need(self, now: float, bounds: Bounds, reading: Reading) -> _Need:
        """What the queue needs now, whatever the others need."""
        all_busy = self.granted > 0 and (reading.busy >= _ALL_BUSY * self.granted or self._is_late(reading))
        self._failures.observe(reading.finished, reading.failed)
        if not all_busy or self._failures.failing:
            self._gain.forget()
        elif self._gain.observe(now, self.granted, reading.finished - reading.failed, reading.seconds, reading.busy):
            self._peaks.clear()
        need = self._by_use(reading, all_busy)
        ceiling = self._gain.ceiling(now)
        if ceiling is not None and need.permits > ceiling:
            found = "would do as much, for a trial" if self._gain.trying else "do as much as more did"
            need = _Need(ceiling, Reason.NO_GAIN, f"{ceiling} permits {found}", ceiling)
        if self._failures.failing and need.permits > bounds.minimum:
            need = _need(
                bounds.minimum, Reason.FAILING, "nearly all of its tasks fail, and more would only fail faster"
            )
        clamped = min(max(need.permits, bounds.minimum), bounds.maximum)
        if clamped == need.permits or (clamped > need.permits and self.granted >= clamped):
            return _Need(clamped, need.reason, need.text, need.wished)
        reason = need.reason if self.granted < clamped < need.permits else Reason.BOUNDS
        text = f"{need.text}; its bounds are {bounds.minimum} to {bounds.maximum}"
        return _Need(clamped, reason, text, need.wished)

    def hold(self, now: float, need: int, bounds: Bounds) -> int:
        """The most that was needed in the time after which permits are taken away, as far as the queue has it."""
        while self._peaks and self._peaks[-1][1] <= need:
            self._peaks.pop()
        self._peaks.append((now, need))
        while self._peaks[0][0] < now - self._tuning.down_after:
            self._peaks.popleft()
        peak = self._peaks[0][1]
        if peak > bounds.minimum and peak > self.granted * (1 - _DEADBAND):
            peak = self.granted
        return min(peak, self.granted, bounds.maximum)

    def _is_late(self, reading: Reading) -> bool:
        """Whether each permit goes round quickly, and tasks wait for too long all the same."""
        if reading.stats is None or reading.stats.age < self._tuning.target_age:
            return False
        return reading.finished >= self.granted * reading.seconds > 0

    def _by_use(self, reading: Reading, all_busy: bool) -> _Need:
        base, stats, granted = math.ceil(reading.busy / _TARGET_USE), reading.stats, self.granted
        use = f"{reading.busy:.1f} of {granted} permits busy"
        if not all_busy:
            return _need(base, Reason.HEADROOM if base > granted else Reason.IDLE, use)
        if stats is None:
            return _need(max(base, _grown(granted, _BLIND_STEP)), Reason.BUSY, f"{use}, no word from the server")
        old = stats.age >= self._tuning.target_age
        step = 1.0 if old or stats.backlog >= granted else _STEP
        grown = min(_grown(granted, step), math.ceil(reading.busy) + stats.backlog)
        text = f"{use}, {stats.backlog} tasks wait, the first for {stats.age:.0f} s"
        return _need(max(base, grown), Reason.OLD_BACKLOG if old else Reason.BUSY, text)


class Scaling:
    """The control loop. `tick` is called about once a second."""

    def __init__(self, tuning: Tuning, decided: Callable[[Decision], None]) -> None:
        """decided: called with each change."""
        self._tuning = tuning
        self._decided = decided
        self._queues: dict[TaskQueue, _Queue] = {}

    def granted(self, queue: TaskQueue) -> int:
        """Permits of a queue in the whole fleet."""
        return self._queues[queue].granted

    def wanting(self, queue: TaskQueue) -> bool:
        """Whether the queue needs more than it may have, by the budget or its maximum."""
        return self._queues[queue].wanting

    def tick(
        self,
        now: float,
        budgets: Mapping[Kind, int],
        bounds: Mapping[TaskQueue, Bounds],
        readings: Mapping[TaskQueue, Reading],
    ) -> None:
        """Decide anew. now: monotonic seconds. budgets: the most permits of each kind in the fleet, all queues
        together. bounds, readings: of each queue that there is; others are forgotten.

        A queue without a reading has not been seen yet, and begins with its minimum.
        """
        self._queues = {queue: self._queues.get(queue) or _Queue(self._tuning) for queue in bounds}
        for kind in Kind:
            queues = [queue for queue in bounds if queue.kind is kind]
            blank = Reading(0.0, 0, 0, 0.0, 0)
            self._share(now, budgets[kind], {q: bounds[q] for q in queues}, {q: readings.get(q, blank) for q in queues})

    def _share(
        self, now: float, budget: int, bounds: Mapping[TaskQueue, Bounds], readings: Mapping[TaskQueue, Reading]
    ) -> None:
        queues = list(bounds)
        states = [self._queues[queue] for queue in queues]
        needs = [self._queues[queue].need(now, bounds[queue], readings[queue]) for queue in queues]
        order = sorted(range(len(queues)), key=lambda index: _urgency(states[index].granted, readings[queues[index]]))
        minimum = [min(bounds[queue].minimum, bounds[queue].maximum) for queue in queues]
        shares = fill(budget, [0] * len(queues), minimum, order)
        shares = fill(budget, shares, [need.permits for need in needs], order)
        holds = [s.hold(now, n.permits, bounds[q]) for s, n, q in zip(states, needs, queues, strict=True)]
        holds = [0 if need.reason in _AT_ONCE else hold for need, hold in zip(needs, holds, strict=True)]
        kept = fill(budget, shares, holds, order)
        # What others have to give back is theirs until they have: the sum in all hands never exceeds the budget.
        committed = [max(s.granted, readings[q].committed) for s, q in zip(states, queues, strict=True)]
        reachable = fill(budget, committed, [max(c, k) for c, k in zip(committed, kept, strict=True)], order)
        for index, (queue, state, need) in enumerate(zip(queues, states, needs, strict=True)):
            wish = max(need.permits, holds[index])
            after = min(kept[index], max(reachable[index], 0))
            state.wanting = need.wished > max(after, state.granted)
            if after == state.granted:
                continue
            reason, text = need.reason, need.text
            if after < state.granted and kept[index] < wish:
                reason, text = Reason.BUDGET, f"{need.text}; the other queues need their share of {budget}"
            elif after < state.granted and reason in (Reason.HEADROOM, Reason.BUSY, Reason.OLD_BACKLOG):
                reason = Reason.IDLE
            decision = Decision(queue, state.granted, after, reason, text)
            state.granted = after
            self._decided(decision)


def _need(permits: int, reason: Reason, text: str) -> _Need:
    return _Need(permits, reason, text, permits)


def _grown(permits: int, step: float) -> int:
    return permits + max(1, math.ceil(permits * step))


def _urgency(granted: int, reading: Reading) -> tuple[float, float, int]:
    """Sorts who comes first when permits cannot be divided evenly: slot use, then age of the backlog, then backlog."""
    stats = reading.stats
    use = reading.busy / granted if granted else 0.0
    return (-use, -stats.age, -stats.backlog) if stats is not None else (-use, 0.0, 0)
