"""The shared page: what one process writes, another reads."""

from __future__ import annotations

import os

import pytest

from fleet.supervisor.page import MAX_QUEUES, QUARANTINE_SIZE, Activating, Kind, Lane, Page, Routing, State

RUN = "01a2b3c4-0000-4000-8000-1234567890ab"


def test_a_child_writes_and_the_parent_reads() -> None:
    page = Page(3)
    child = os.fork()
    if child == 0:
        slot = page.slots[1]
        slot.beat, slot.progress, slot.in_flight, slot.pid = 2**63, 7, 3, os.getpid()
        slot.state = State.READY
        slot.activating = Activating(RUN, 99)
        slot.lua_bytes, slot.cached_runs = 1 << 40, 12
        slot.routing = Routing.INACTIVE
        slot.lane = Lane.PUBLIC
        slot.tasks(2, Kind.ACTIVITY).used = 5
        os._exit(0)
    os.waitpid(child, 0)
    slot = page.slots[1]
    assert (slot.beat, slot.progress, slot.in_flight, slot.pid) == (2**63, 7, 3, child)
    assert slot.state is State.READY
    assert slot.activating == Activating(RUN, 99)
    assert (slot.lua_bytes, slot.cached_runs) == (1 << 40, 12)
    assert (slot.routing, page.slots[0].routing) == (Routing.INACTIVE, Routing.UNKNOWN)
    assert (slot.lane, page.slots[0].lane) == (Lane.PUBLIC, Lane.NONE)
    assert slot.tasks(2, Kind.ACTIVITY).used == 5
    assert slot.tasks(2, Kind.WORKFLOW).used == 0
    assert all(word == 0 for other in (page.slots[0], page.slots[2]) for word in other.words)


def test_a_new_process_begins_with_an_empty_block_and_the_permits_of_the_slot() -> None:
    slot = Page(1).slots[0]
    slot.beat, slot.generation = 1, 4
    slot.activating = Activating(RUN, 5)
    tasks = slot.tasks(MAX_QUEUES - 1, Kind.ACTIVITY)
    tasks.permits, tasks.held, tasks.used, tasks.busy, tasks.finished, tasks.failed = 8, 7, 6, 5, 4, 3
    slot.clear()
    assert (slot.beat, slot.generation, slot.activating, slot.state) == (0, 0, None, State.EMPTY)
    assert (tasks.permits, tasks.held, tasks.used, tasks.busy, tasks.finished, tasks.failed) == (8, 0, 0, 0, 0, 0)


def test_no_permits_and_no_limit_are_different_things() -> None:
    tasks = Page(1).slots[0].tasks(0, Kind.WORKFLOW)
    assert tasks.permits is None
    tasks.permits = 0
    assert tasks.permits == 0
    tasks.permits = None
    assert tasks.permits is None


def test_the_words_of_queues_are_apart() -> None:
    slot = Page(1).slots[0]
    places = [(queue, kind) for queue in range(MAX_QUEUES) for kind in Kind]
    for number, place in enumerate(places):
        slot.tasks(*place).permits, slot.tasks(*place).used = number, 1000 + number
    assert [slot.tasks(*place).permits for place in places] == list(range(len(places)))
    assert [slot.tasks(*place).used for place in places] == list(range(1000, 1000 + len(places)))
    with pytest.raises(IndexError):
        slot.tasks(MAX_QUEUES, Kind.WORKFLOW)


def test_an_activation_ends() -> None:
    slot = Page(1).slots[0]
    slot.activating = Activating(RUN, 5)
    slot.activating = Activating("short", 6)
    assert slot.activating == Activating("short", 6)
    slot.activating = None
    assert slot.activating is None


def test_quarantine_counts_and_releases() -> None:
    table = Page(1).quarantine
    before = table.version
    assert [table.add(RUN), table.add("other"), table.add(RUN)] == [1, 1, 2]
    assert list(table.counts().items()) == [("other", 1), (RUN, 2)]
    assert table.version != before
    assert table.release("other") and not table.release("other")
    assert table.release(RUN) and table.counts() == {}
    assert table.add(RUN) == 1


def test_a_full_quarantine_forgets_the_oldest_suspect() -> None:
    table = Page(1).quarantine
    table.add(RUN), table.add(RUN)
    for number in range(QUARANTINE_SIZE + 3):
        table.add(f"run-{number}")
    assert list(table.counts()) == [RUN, *(f"run-{number}" for number in range(4, QUARANTINE_SIZE + 3))]
    for run_id in table.counts():
        table.add(run_id)
    table.add("one-more")
    assert len(table.counts()) == QUARANTINE_SIZE
    assert "one-more" in table.counts() and RUN not in table.counts()


def test_a_worker_absolves_a_suspect_but_frees_nobody() -> None:
    table = Page(1).quarantine
    table.add("suspect"), table.add(RUN), table.add(RUN)
    child = os.fork()
    if child == 0:
        table.absolve("suspect"), table.absolve(RUN), table.absolve("unknown")
        os._exit(0)
    os.waitpid(child, 0)
    assert table.counts() == {RUN: 2}
    assert table.add("suspect") == 1


def test_quarantine_is_readable_while_its_writer_is_dead() -> None:
    table = Page(1).quarantine
    table.add(RUN)
    table._version[0] += 1
    assert table.counts() == {RUN: 1}
