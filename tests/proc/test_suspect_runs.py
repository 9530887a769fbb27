"""Which deaths are held against the run in hand, and that the supervisor's own death does not wipe that out."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

from supervised import OddFleet

RUN = "01a2b3c4-0000-4000-8000-1234567890ab"
Odd = Callable[..., OddFleet]


def test_a_run_whose_workers_are_killed_for_want_of_memory_is_quarantined(odd: Odd) -> None:
    fleet = odd({1: "1:starved"})
    fleet.until(lambda: fleet.events("quarantine"))
    assert fleet.status()["quarantine"] == {RUN: 2}
    died = fleet.events("died")[0]
    assert (died["reason"], died["how"], died["run_id"]) == ("oom", "SIGKILL (out of memory)", RUN)


def test_a_kill_by_somebody_is_not_held_against_the_run_in_hand(odd: Odd) -> None:
    fleet = odd({1: "1:killed"})
    fleet.until(lambda: len(fleet.events("died")) == 2)
    assert {(died["reason"], died["how"]) for died in fleet.events("died")} == {("signal", "SIGKILL")}
    assert not fleet.events("suspect")


def test_a_quarantine_outlives_the_supervisor(odd: Odd, tmp_path: Path) -> None:
    fleet = odd({1: "1:starved"})
    fleet.until(lambda: fleet.events("quarantine"))
    fleet.stop(signal.SIGKILL)
    again = odd({1: "fine"}).wait_ready(2)
    assert again.status()["quarantine"] == {RUN: 2}
    assert RUN in again.events("remembered")[0]["message"]
    assert again.ask("release", run_id=RUN)["ok"]
    again.stop()
    assert json.loads((tmp_path / "quarantine.json").read_text()) == {"runs": {}}
