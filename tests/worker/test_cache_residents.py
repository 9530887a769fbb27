"""Which runs go when the cache passes its bytes."""

from __future__ import annotations

import threading

import pytest

from fleet.workflow.residents import IDLE, Resident, Residents


class Cache:
    """Residents with a record of who was asked to go."""

    def __init__(self, budget: int) -> None:
        self.residents = Residents(budget)
        self.dropped: list[str] = []
        self.runs: dict[str, Resident] = {}

    def use(self, run: str, size: int, *, local_activities: bool = False, stopped: bool = False) -> None:
        if run not in self.runs:
            self.runs[run] = self.residents.admit(run, self.dropped.append)
        self.residents.begin(self.runs[run])
        self.residents.end(self.runs[run], size, local_activities=local_activities, stopped=stopped)

    def gone(self, run: str, reason: str = "lang_requested") -> None:
        self.residents.remove(self.runs.pop(run), reason)


def test_the_least_recently_used_goes_first() -> None:
    cache = Cache(100)
    for run in "abcd":
        cache.use(run, 25)
    cache.use("a", 25)
    assert cache.dropped == []
    cache.use("e", 10)
    assert cache.dropped == ["b"], "one is enough to be at nine tenths"
    assert cache.residents.bytes == 110, "it holds its memory until it has gone"
    cache.gone("b")
    assert (cache.residents.bytes, len(cache.residents)) == (85, 4)
    assert cache.residents.evictions == {"bytes": 1}


def test_a_full_cache_does_not_drop_a_run_for_each_activation() -> None:
    cache = Cache(1000)
    for run in range(1000):
        cache.use(str(run), 1)
    rounds = 0
    for run in range(100):
        before = len(cache.dropped)
        cache.use(f"next-{run}", 1)
        rounds += len(cache.dropped) > before
    assert rounds == 1, "a tenth of the budget goes at once"
    assert len(cache.dropped) == 101


def test_the_last_used_stays_however_large() -> None:
    cache = Cache(100)
    cache.use("small", 10)
    cache.use("large", 500)
    assert cache.dropped == ["small"]
    cache.use("large", 600)
    assert cache.dropped == ["small"]


def test_runs_in_use_stay() -> None:
    cache = Cache(100)
    cache.use("waits", 60, local_activities=True)
    cache.use("active", 60)
    cache.residents.begin(cache.runs["active"])
    cache.use("last", 60)
    assert cache.dropped == []
    cache.use("waits", 60)
    assert cache.dropped == ["last"]
    cache.use("next", 60)
    assert cache.dropped == ["last", "waits"], "as soon as it is idle"


def test_a_run_that_is_over_is_neither_dropped_nor_in_the_way() -> None:
    cache = Cache(100)
    cache.use("over", 90, stopped=True)
    cache.use("a", 50)
    cache.use("b", 50)
    assert cache.dropped == []
    cache.gone("over", "workflow_execution_ending")
    assert cache.residents.evictions == {"ended": 1}


def test_who_was_asked_to_go_and_is_used_once_more_is_not_asked_again() -> None:
    cache = Cache(100)
    cache.use("a", 60)
    cache.use("b", 60)
    assert cache.dropped == ["a"]
    cache.use("a", 70)
    cache.use("b", 60)
    assert cache.dropped == ["a"]
    cache.gone("a", "cache_full")
    assert cache.residents.evictions == {"count": 1}
    assert cache.residents.bytes == 60


def test_no_budget_no_drops_but_the_bytes_are_known() -> None:
    cache = Cache(0)
    for run in range(50):
        cache.use(str(run), 1 << 20)
    assert cache.dropped == []
    assert cache.residents.bytes == 50 << 20


def test_a_run_that_cannot_be_dropped_is_left() -> None:
    residents = Residents(10)
    first = residents.admit("first", None)
    residents.end(first, 20, local_activities=False, stopped=False)
    second = residents.admit("second", None)
    residents.end(second, 20, local_activities=False, stopped=False)
    assert residents.bytes == 40


def test_the_books_are_right_when_many_threads_use_them() -> None:
    cache = Residents(500)

    def life(number: int) -> None:
        for turn in range(200):
            resident = cache.admit(f"{number}-{turn}", lambda run: None)
            for size in (5, 9, 3):
                cache.begin(resident)
                cache.end(resident, size, local_activities=False, stopped=size == 3)
            cache.remove(resident, "workflow_execution_ending")

    threads = [threading.Thread(target=life, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (cache.bytes, len(cache)) == (0, 0)
    assert cache.evictions == {"ended": 1600}


def test_runs_that_are_idle_are_put_to_rest_by_the_activations_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("fleet.workflow.residents.time.monotonic", lambda: clock[0])
    residents = Residents(0)
    rested: list[str] = []

    def use(run: str, resident: Resident | None = None) -> Resident:
        if resident is None:
            resident = residents.admit(run, None, lambda: rested.append(run) or 10)  # type: ignore[func-returns-value]
        residents.begin(resident)
        residents.end(resident, 100, local_activities=False, stopped=False)
        return resident

    first = use("a")
    use("b")
    clock[0] += IDLE / 2
    use("a", first)
    assert rested == []
    clock[0] += IDLE / 2
    use("c")
    assert (rested, residents.bytes) == (["b"], 210)
    clock[0] += IDLE
    residents.begin(first)
    use("d")
    assert rested == ["b", "c"], "not the one that is being activated"
    clock[0] += IDLE
    use("e")
    assert rested == ["b", "c", "d"], "once is enough"
