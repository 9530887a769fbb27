"""The control loop under loads that hurt: nobody starves, the budget holds, permits come to rest."""

from __future__ import annotations

import pytest
from scaling_model import Fleet, Queue, Sample, always
from scaling_plots import FOLDER, render
from scaling_scenarios import SCENARIOS, burst, contention, flapping, poisoned_queue, silence, slow_database

from fleet.supervisor.scaling import Reason


@pytest.fixture(scope="module")
def played() -> dict[str, Fleet]:
    return {name: scenario() for name, scenario in SCENARIOS.items()}


def when(samples: list[Sample], permits: int) -> float:
    """The second from which on there are so many permits."""
    return next(sample.time for sample in samples if sample.permits >= permits)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_budget_is_never_exceeded_by_what_is_in_hands(played: dict[str, Fleet], name: str) -> None:
    fleet = played[name]
    assert fleet.most_held <= fleet.budget
    seconds = zip(*fleet.samples.values(), strict=True)
    assert max(sum(sample.permits for sample in second) for second in seconds) <= fleet.budget


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_queue_falls_to_zero(played: dict[str, Fleet], name: str) -> None:
    fleet = played[name]
    assert all(sample.permits >= queue.minimum for queue in fleet.queues for sample in fleet.samples[queue.name])


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_change_has_its_reason_in_words(played: dict[str, Fleet], name: str) -> None:
    decisions = [decision for _, decision in played[name].decisions]
    assert decisions
    assert all(decision.text and decision.before != decision.after for decision in decisions)


@pytest.mark.parametrize("server_answers", [True, False])
def test_a_burst_has_permits_within_seconds_and_is_worked_off(server_answers: bool) -> None:
    fleet = burst(server_answers)
    orders = fleet.of("orders", 30)
    assert when(orders, 100) <= (40 if server_answers else 45)
    assert next(s.time for s in orders if s.time > 50 and s.backlog == 0) <= 60
    assert max(s.age for s in fleet.of("mail", 10)) < 1.0, "the quiet queue had to wait"
    assert fleet.of("orders")[-1].permits <= 4
    assert len(fleet.changes("orders", 60)) <= 4


def test_silence_takes_permits_away_after_a_while_and_they_are_back_at_once(played: dict[str, Fleet]) -> None:
    orders = played["silence"].of("orders")
    assert all(sample.permits >= 30 for sample in orders if 121 <= sample.time < 145), "taken away too soon"
    assert all(sample.permits == 2 for sample in orders if 180 <= sample.time < 420)
    assert when([s for s in orders if s.time >= 420], 40) <= 430
    assert orders[-1].backlog == 0


def test_a_slow_database_is_not_called_by_ever_more(played: dict[str, Fleet]) -> None:
    fleet = played["slow_database"]
    assert max(s.permits for s in fleet.of("ledger", 60, 88)) > 150, "before anything is known it may grow"
    assert max(s.permits for s in fleet.of("ledger", 180, 230)) <= 40
    assert any(d.reason is Reason.NO_GAIN for d in fleet.changes("ledger", 60, 240))
    # 36 callers get done what 186 got done: all that it can do.
    done = fleet.of("ledger", 180, 230)
    assert done[0].backlog + 40 * 49 - done[-1].backlog == pytest.approx(20 * 49, rel=0.1)


def test_a_queue_beside_a_slow_database_gets_what_it_needs(played: dict[str, Fleet]) -> None:
    mail = played["slow_database"].of("mail")
    assert max(s.age for s in mail if 60 <= s.time < 90) < 1
    assert max(s.age for s in mail if s.time >= 105) < 1
    assert mail[-1].backlog == 0


def test_a_database_that_recovers_is_used_again_at_once(played: dict[str, Fleet]) -> None:
    ledger = played["slow_database"].of("ledger")
    assert when([s for s in ledger if s.time >= 240], 100) <= 250
    assert ledger[-1].backlog == 0


def test_a_poisoned_queue_stays_at_its_minimum_and_the_others_do_not_notice(played: dict[str, Fleet]) -> None:
    fleet = played["poisoned_queue"]
    assert max(s.permits for s in fleet.of("poisoned", 25, 200)) == 2
    assert [d.reason for d in fleet.changes("poisoned", 20, 200)] == [Reason.BUSY, Reason.FAILING]
    assert max(s.age for s in fleet.of("orders", 70, 200)) < 1


def test_a_mended_queue_grows_within_seconds(played: dict[str, Fleet]) -> None:
    poisoned = played["poisoned_queue"].of("poisoned", 200)
    assert when(poisoned, 40) <= 215
    assert poisoned[-1].backlog == 0


def test_flapping_load_does_not_make_permits_flap(played: dict[str, Fleet]) -> None:
    fleet = played["flapping"]
    assert fleet.changes("orders", 60) == []
    assert max(s.age for s in fleet.of("orders", 60)) < 1


@pytest.mark.parametrize("period", [40, 80, 120, 200])
def test_slower_flapping_has_a_bounded_number_of_changes(period: int) -> None:
    fleet = Fleet(100, [Queue("orders", lambda now: 80 if now % period < period / 2 else 0, work=0.5)]).run(600)
    ups_and_downs = fleet.changes("orders", 60)
    assert len(ups_and_downs) <= 14 * 540 / period
    assert fleet.most_held <= 100


def test_a_steady_load_comes_to_rest() -> None:
    fleet = Fleet(100, [Queue("orders", always(60), work=0.5), Queue("mail", always(10), work=1.0)]).run(600)
    assert [decision for at, decision in fleet.decisions if at > 120] == []


def test_queues_that_could_use_everything_share_evenly(played: dict[str, Fleet]) -> None:
    fleet = played["contention"]
    for name in ("first", "second", "third"):
        shares = [sample.permits for sample in fleet.of(name, 100, 180)]
        assert set(shares) == {30}
    assert when(fleet.of("third", 60), 30) <= 70, "a late comer waits for its share"


def test_the_server_may_be_silent() -> None:
    fleet = Fleet(100, [Queue("orders", always(60), work=0.5)], server_answers=False).run(120)
    assert fleet.of("orders")[-1].backlog == 0
    assert fleet.of("orders")[-1].permits >= 30


def test_scenarios_are_the_same_each_time() -> None:
    for scenario in (flapping, contention, silence, slow_database, poisoned_queue):
        assert scenario().samples == scenario().samples


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_plots_of_the_documentation_are_those_of_this_code(played: dict[str, Fleet], name: str) -> None:
    drawn = (FOLDER / f"{name}.svg").read_text()
    assert drawn == render(name, played[name]), "draw anew: python tests/scaling/scaling_plots.py"
