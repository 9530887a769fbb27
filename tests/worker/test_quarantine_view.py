"""Whom a worker refuses, and whom it forgives."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from fleet._core import InHand
from fleet.supervisor.page import Activating, Page
from fleet.worker.quarantine import QuarantineView
from fleet.worker.watch import Watch

RUN = "01a2b3c4-0000-4000-8000-1234567890ab"
OTHER = "01a2b3c4-0000-4000-8000-1234567890ac"


@contextmanager
def activation_of(watch: Watch, run_id: str) -> Iterator[None]:
    turn = watch.begin(run_id)
    try:
        yield
    finally:
        watch.end(run_id, turn)


def activation(length: int, *, replaying: bool = False, local_result: bool = False) -> WorkflowActivation:
    act = WorkflowActivation(run_id=RUN, history_length=length, is_replaying=replaying)
    if local_result:
        act.jobs.add().resolve_activity.is_local = True
    return act


def completion(*commands: str) -> WorkflowActivationCompletion:
    done = WorkflowActivationCompletion(run_id=RUN)
    for command in commands:
        getattr(done.successful.commands.add(), command).SetInParent()
    return done


def test_the_second_time_is_refused_until_release(caplog: pytest.LogCaptureFixture) -> None:
    table = Page(1).quarantine
    view = QuarantineView(table)
    table.add(RUN)
    assert view.refusal(RUN) is None
    table.add(RUN)
    for _ in range(2):
        refusal = view.refusal(RUN)
        assert refusal is not None and refusal.run_id == RUN
        assert f"fleet release {RUN}" in refusal.failed.failure.message
    assert view.refusal(OTHER) is None
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    table.release(RUN)
    assert view.refusal(RUN) is None


def test_only_suspects_are_on_trial() -> None:
    table = Page(1).quarantine
    view = QuarantineView(table)
    assert view.trial(RUN) is None
    table.add(RUN)
    assert view.trial(RUN) is not None and view.trial(OTHER) is None


def test_forgiven_when_the_history_has_gone_beyond_the_task() -> None:
    table = Page(1).quarantine
    table.add(RUN)
    trial = QuarantineView(table).trial(RUN)
    assert trial is not None
    for act in (activation(3, replaying=True), activation(7, replaying=True), activation(11), activation(11)):
        assert not trial.begins(act) and not trial.ends(completion("start_timer"))
    assert table.counts() == {RUN: 1}
    assert trial.begins(activation(15))
    assert table.counts() == {}


def test_not_forgiven_while_local_activities_lengthen_the_history() -> None:
    table = Page(1).quarantine
    table.add(RUN)
    trial = QuarantineView(table).trial(RUN)
    assert trial is not None
    assert not trial.begins(activation(3)) and not trial.ends(completion("schedule_local_activity"))
    assert not trial.begins(activation(9)) and not trial.ends(completion())
    assert not trial.begins(activation(12, local_result=True)) and not trial.ends(completion("start_timer"))
    assert table.counts() == {RUN: 1}
    assert trial.begins(activation(16))
    assert table.counts() == {}


def test_forgiven_when_it_has_ended() -> None:
    table = Page(1).quarantine
    table.add(RUN)
    trial = QuarantineView(table).trial(RUN)
    assert trial is not None
    assert not trial.begins(activation(3))
    assert trial.ends(completion("complete_workflow_execution"))
    assert table.counts() == {}


def test_the_page_shows_the_activation_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.worker.watch._PATIENCE", 60.0)
    page = Page(1)
    slot = page.slots[0]
    watch = Watch(slot, page.quarantine)
    entered, leave = threading.Event(), threading.Event()
    seen: list[str] = []

    def second() -> None:
        with activation_of(watch, OTHER):
            assert slot.activating is not None
            seen.append(slot.activating.run_id)
            entered.set()
            leave.wait()

    with activation_of(watch, RUN):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        assert slot.activating is not None and slot.activating.run_id == RUN
        assert not entered.is_set(), "it waits for its turn"
    entered.wait()
    assert seen == [OTHER]
    leave.set()
    thread.join()
    assert slot.activating is None and slot.in_flight == 0


@pytest.mark.parametrize("run_id", ["", "short", RUN, RUN + "-with-more", "r\u00e9"])
def test_what_is_no_usual_run_id_is_shown_as_far_as_there_is_room(run_id: str) -> None:
    page = Page(2)
    watch = Watch(page.slots[0], page.quarantine)
    page.slots[1].activating = neighbour = Activating(OTHER, 7)
    with activation_of(watch, OTHER):
        pass
    before = time.monotonic_ns()
    with activation_of(watch, run_id):
        shown = page.slots[0].activating
        assert shown is not None and before <= shown.since <= time.monotonic_ns()
        assert shown.run_id == run_id[:36].encode().decode("ascii", "replace")
    assert page.slots[1].activating == neighbour


def test_activities_count_as_in_hand_until_they_end() -> None:
    page = Page(1)
    slot = page.slots[0]
    watch = Watch(slot, page.quarantine)
    watch.activity_begins()
    watch.activity_begins()
    assert (slot.in_flight, slot.progress, slot.activating) == (2, 0, None)
    watch.activity_ended(None, False)
    assert slot.in_flight == 1 and 0 < slot.progress <= time.monotonic_ns()


def test_a_block_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        InHand(memoryview(bytearray(8 * 11)).cast("Q"), 0.5)


def test_others_run_beside_one_that_does_not_end_and_it_stays_in_sight() -> None:
    page = Page(1)
    slot = page.slots[0]
    watch = Watch(slot, page.quarantine)
    hanging, end = threading.Event(), threading.Event()

    def hang() -> None:
        with activation_of(watch, RUN):
            hanging.set()
            end.wait()

    thread = threading.Thread(target=hang)
    thread.start()
    hanging.wait()
    for _ in range(2):
        with activation_of(watch, OTHER):
            assert slot.activating is not None and slot.activating.run_id == RUN
        assert slot.activating is not None and slot.activating.run_id == RUN
    assert slot.in_flight == 1
    end.set()
    thread.join()
    assert slot.activating is None


def test_one_that_ran_beside_is_seen_when_the_others_have_ended() -> None:
    page = Page(1)
    slot = page.slots[0]
    watch = Watch(slot, page.quarantine)
    beside, end = threading.Event(), threading.Event()

    def hang() -> None:
        with activation_of(watch, RUN):
            beside.set()
            end.wait()

    thread = threading.Thread(target=hang)
    with activation_of(watch, OTHER):
        thread.start()
        beside.wait()
        assert slot.activating is not None and slot.activating.run_id == OTHER
    assert slot.activating is not None and slot.activating.run_id == RUN
    with activation_of(watch, OTHER):
        assert slot.activating is not None and slot.activating.run_id == OTHER
    assert slot.activating is not None and slot.activating.run_id == RUN
    end.set()
    thread.join()
    assert slot.activating is None
