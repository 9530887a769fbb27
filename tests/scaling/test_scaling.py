"""Single decisions of the control loop, and the dividing of permits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.supervisor.page import Kind
from fleet.supervisor.scaling import Bounds, Decision, Reading, Reason, Scaling, Tuning
from fleet.supervisor.scaling_gain import Failures
from fleet.supervisor.scaling_shares import fill, spread
from fleet.supervisor.scaling_stats import QueueStats, TaskQueue

A, B = TaskQueue("app:a", Kind.ACTIVITY), TaskQueue("app:b", Kind.ACTIVITY)
IDLE = Reading(busy=0.0, finished=0, failed=0, seconds=1.0, committed=0)


def waiting(backlog: int, age: float) -> QueueStats:
    return QueueStats(backlog, age, add_rate=0.0, dispatch_rate=0.0, pollers=1)


class Loop:
    """The loop with one budget and a clock that goes a second with each tick."""

    def __init__(self, budget: int, **bounds: Bounds) -> None:
        self.budget = budget
        self.bounds = {TaskQueue(f"app:{name}", Kind.ACTIVITY): value for name, value in bounds.items()}
        self.decisions: list[Decision] = []
        self.now = 0.0
        self.scaling = Scaling(Tuning(), self.decisions.append)
        self.tick({})

    def tick(self, readings: dict[TaskQueue, Reading], seconds: int = 1) -> Decision | None:
        """The last decision of these seconds."""
        self.decisions.clear()
        for _ in range(seconds):
            self.now += 1
            budgets = {Kind.ACTIVITY: self.budget, Kind.WORKFLOW: 0}
            self.scaling.tick(self.now, budgets, self.bounds, readings)
        return self.decisions[-1] if self.decisions else None

    def busy(self, queue: TaskQueue, stats: QueueStats | None) -> Reading:
        granted = self.scaling.granted(queue)
        return replace(IDLE, busy=float(granted), committed=granted, stats=stats)


def test_a_backlog_beside_free_permits_changes_nothing() -> None:
    loop = Loop(100, a=Bounds(10, 100))
    assert loop.tick({A: replace(IDLE, busy=3.0, committed=10, stats=waiting(5000, 60))}) is None


def test_permits_that_wait_for_their_next_task_for_longer_than_it_takes_grow_while_tasks_are_late() -> None:
    """Each permit finishes ten tasks a second that take 20 ms each: it waits for the server for the rest."""
    loop = Loop(200, a=Bounds(4, 200))
    grown = []
    for age in (2.0, 6.0, 7.0, 8.0):
        permits = loop.scaling.granted(A)
        reading = replace(IDLE, busy=permits * 0.2, finished=permits * 10, committed=permits, stats=waiting(5000, age))
        loop.tick({A: reading})
        grown.append(loop.scaling.granted(A))
    assert grown == [4, 8, 16, 32]
    assert loop.decisions[-1].reason is Reason.OLD_BACKLOG


def test_late_tasks_that_more_permits_do_not_finish_sooner_get_no_more() -> None:
    """The server gives out twenty tasks a second of this queue, whoever asks."""
    loop = Loop(200, a=Bounds(4, 200))
    for _ in range(30):
        permits = loop.scaling.granted(A)
        loop.tick({A: replace(IDLE, busy=0.5, finished=20, committed=permits, stats=waiting(5000, 60.0))})
    assert loop.scaling.granted(A) <= 8
    assert loop.scaling.wanting(A) is False


def test_an_old_backlog_grows_faster_than_a_small_young_one() -> None:
    grown = {}
    for stats in (waiting(5, 1.0), waiting(9, 6.0), None):
        loop = Loop(100, a=Bounds(8, 100))
        decision = loop.tick({A: loop.busy(A, stats)})
        assert decision is not None
        grown[stats] = (decision.after, decision.reason)
    assert list(grown.values()) == [(11, Reason.BUSY), (16, Reason.OLD_BACKLOG), (12, Reason.BUSY)]


def test_never_more_than_what_runs_and_what_waits() -> None:
    loop = Loop(1000, a=Bounds(40, 1000))
    decision = loop.tick({A: loop.busy(A, waiting(25, 30.0))})
    assert decision is not None
    assert decision.after == 65


def test_permits_that_others_still_hold_are_not_given_out() -> None:
    loop = Loop(100, a=Bounds(2, 100), b=Bounds(2, 100))
    for _ in range(8):
        loop.tick({A: loop.busy(A, waiting(1000, 60))})
    assert loop.scaling.granted(A) == 98
    loop.bounds[A] = Bounds(2, 10)
    held_by_a = 98
    for _ in range(3):
        loop.tick({A: replace(IDLE, busy=10.0, committed=held_by_a), B: loop.busy(B, waiting(1000, 60))})
    assert (loop.scaling.granted(A), loop.scaling.granted(B)) == (10, 2)
    assert loop.scaling.wanting(B)
    loop.tick({A: replace(IDLE, busy=10.0, committed=60), B: loop.busy(B, waiting(1000, 60))})
    assert loop.scaling.granted(B) == 4


def test_a_maximum_of_zero_is_the_wish_to_stop() -> None:
    loop = Loop(100, a=Bounds(2, 100))
    loop.bounds[A] = Bounds(0, 0)
    decision = loop.tick({A: replace(IDLE, busy=2.0, committed=2)})
    assert decision is not None
    assert (decision.after, decision.reason) == (0, Reason.BOUNDS)


def test_bounds_that_rise_are_met_at_once() -> None:
    loop = Loop(100, a=Bounds(2, 100))
    loop.bounds[A] = Bounds(4, 100)
    decision = loop.tick({A: replace(IDLE, committed=2)})
    assert decision is not None
    assert (decision.before, decision.after, decision.reason) == (2, 4, Reason.BOUNDS)


def test_a_budget_below_the_minimums_is_shared_all_the_same() -> None:
    loop = Loop(5, a=Bounds(4, 10), b=Bounds(4, 10))
    assert sorted((loop.scaling.granted(A), loop.scaling.granted(B))) == [2, 3]


def test_a_queue_that_is_gone_is_forgotten() -> None:
    loop = Loop(10, a=Bounds(4, 10), b=Bounds(4, 10))
    del loop.bounds[B]
    loop.tick({A: IDLE})
    with pytest.raises(KeyError):
        loop.scaling.granted(B)


def test_nearly_all_is_not_now_and_then() -> None:
    failures = Failures()
    for _ in range(200):
        failures.observe(finished=10, failed=8)
    assert not failures.failing
    for _ in range(20):
        failures.observe(finished=10, failed=10)
    assert failures.failing
    failures.observe(finished=0, failed=0)
    assert failures.failing, "nothing is known of a queue without tasks"
    failures.observe(finished=20, failed=0)
    assert not failures.failing


sizes = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 200)), min_size=1, max_size=8)


@given(st.integers(0, 400), sizes)
def test_filling_is_fair_and_within_the_budget(budget: int, rows: list[tuple[int, int]]) -> None:
    have, want = [row[0] for row in rows], [row[1] for row in rows]
    shares = fill(budget, have, want)
    assert all(h <= share <= max(h, w) for h, w, share in zip(have, want, shares, strict=True))
    assert sum(shares) <= max(budget, sum(have))
    unmet = [share for share, w in zip(shares, want, strict=True) if share < w]
    if unmet:
        assert sum(shares) == max(budget, sum(have)), "permits are left over beside a wish"
        raised = [share for share, h in zip(shares, have, strict=True) if share > h]
        assert max(raised, default=0) <= min(unmet) + 1, "one was raised beyond another that wants more"


def test_the_rest_goes_to_who_comes_first() -> None:
    assert fill(10, [0, 0, 0], [9, 9, 9], order=[2, 0, 1]) == [3, 3, 4]


def test_workers_get_more_only_out_of_what_others_gave_back() -> None:
    assert spread(10, most=[100, 100], committed=[0, 0]) == [5, 5]
    assert spread(10, most=[3, 100], committed=[0, 0]) == [3, 7]
    assert spread(10, most=[100, 100], committed=[10, 0]) == [5, 0]
    assert spread(10, most=[100, 100], committed=[7, 0]) == [5, 3]
    assert spread(10, most=[100, 100], committed=[5, 3]) == [5, 5]
