"""What the supervisor decides by, without processes: verdicts, delays, the order of replacements, rights to new code."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

import pytest

from fleet.supervisor.files import FileInUse, default_socket, identity, remove, write_pid
from fleet.supervisor.health import judge
from fleet.supervisor.journal import Journal
from fleet.supervisor.page import Activating, Page, Slot, State
from fleet.supervisor.restarts import Restarts
from fleet.supervisor.roll import Roll
from fleet.supervisor.worker import Death, Ending, Worker

SECOND = 1_000_000_000
NOW = 1000 * SECOND
RUN = "01a2b3c4-0000-4000-8000-1234567890ab"


def block(beat: float, activating: float | None = None) -> Slot:
    """A block whose last beat, and the begin of whose activation, were so many seconds ago."""
    slot = Page(1).slots[0]
    slot.state = State.READY
    slot.beat = NOW - int(beat * SECOND)
    if activating is not None:
        slot.activating = Activating(RUN, NOW - int(activating * SECOND))
    return slot


@pytest.mark.parametrize(
    ("beat", "activating", "awake", "event"),
    [
        (1, None, 999, None),
        (14, None, 999, None),
        (16, None, 999, "hung"),
        (16, None, 10, None),
        (1, 59, 999, None),
        (1, 61, 999, "stuck"),
        (1, 61, 30, None),
        (16, 61, 999, "hung"),
    ],
)
def test_hung_and_stuck_are_told_apart(beat: float, activating: float | None, awake: float, event: str | None) -> None:
    verdict = judge(block(beat, activating), NOW, NOW - int(awake * SECOND), hung_after=15, stuck_after=60)
    assert (verdict.event if verdict is not None else None) == event
    if verdict is not None:
        assert verdict.run_id == (RUN if activating is not None else "")


def test_delays_grow_and_a_healthy_life_starts_them_again() -> None:
    restarts = Restarts()
    assert [restarts.next_delay(1, 60) for _ in range(11)] == [1, 1, 2, 3, 5, 8, 13, 21, 30, 30, 30]
    assert restarts.next_delay(61, 60) == 1
    restarts.next_delay(1, 60)
    assert restarts.next_delay(1, 60) == 2
    restarts.forget()
    assert restarts.next_delay(1, 60) == 1
    assert restarts.total == 15


@pytest.mark.parametrize(
    ("code", "ending", "crashed"),
    [
        (-signal.SIGSEGV, None, True),
        (-signal.SIGABRT, Ending("hung", 0, 0), True),
        (-signal.SIGKILL, Ending("stuck", 0, 0), True),
        (-signal.SIGKILL, None, False),
        (-signal.SIGKILL, Ending("drain", 0, 0), False),
        (70, None, False),
        (4, None, False),
    ],
)
def test_only_what_its_own_work_can_have_caused_is_a_crash(code: int, ending: Ending | None, crashed: bool) -> None:
    assert Death(1, code, 1.0, True, ending, RUN, "", 1).crashed is crashed


class Slots:
    """Workers whose processes are made up."""

    def __init__(self, count: int) -> None:
        page = Page(count)
        self.workers = {number: Worker(number, 0, page.slots[number]) for number in range(count)}
        self.ended: list[tuple[int, str]] = []
        for number in range(count):
            self.serve(number, 100 + number, 1)

    def serve(self, number: int, pid: int, generation: int) -> None:
        worker = self.workers[number]
        worker.pid, worker.ending = pid, None
        worker.block.state, worker.block.generation = State.READY, generation

    def end(self, worker: Worker, event: str) -> None:
        worker.ending = Ending(event, 0, 0)
        self.ended.append((worker.number, event))

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


def test_one_worker_at_a_time_is_replaced_and_the_next_when_it_serves() -> None:
    slots, roll = Slots(3), Roll()
    roll.replace_all(slots.workers, "reload")
    for number in range(3):
        for _ in range(3):
            roll.advance(slots.workers, 2, slots.end)
        assert slots.ended == [(n, "reload") for n in range(number + 1)]
        slots.serve(number, 200 + number, 2)
    roll.advance(slots.workers, 2, slots.end)
    assert roll.idle
    slots.close()


def test_recycling_waits_until_all_others_serve_and_a_reload_does_not() -> None:
    slots, roll = Slots(2), Roll()
    slots.workers[1].pid = 0
    roll.add(slots.workers[0], "age")
    roll.advance(slots.workers, 1, slots.end)
    assert slots.ended == []
    roll.replace_all(slots.workers, "reload")
    roll.advance(slots.workers, 2, slots.end)
    assert slots.ended == [(0, "reload")]
    slots.close()


def test_each_decision_is_a_line_and_the_last_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal()
    with caplog.at_level(logging.INFO, "fleet.supervisor"):
        for number in range(60):
            journal.note("start", f"worker {number} begins", slot=number % 2)
    assert len(caplog.records) == 60 and len(journal.recent) == 50
    assert journal.recent[-1]["text"] == "worker 59 begins"


def test_a_pid_file_of_a_living_process_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.write_text(f"{os.getppid()}\n")
    with pytest.raises(FileInUse, match=f"names process {os.getppid()}, which runs"):
        write_pid(file)
    file.write_text("nonsense")
    write_pid(file)
    assert file.read_text() == f"{os.getpid()}\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_successors_file_is_not_removed(tmp_path: Path) -> None:
    file = tmp_path / "socket"
    file.write_text("mine")
    mine = identity(file)
    other = tmp_path / "other"
    other.write_text("the successor's")
    other.replace(file)
    remove(*mine)
    assert file.exists()
    remove(*identity(file))
    assert not file.exists()
    remove(*mine)


def test_a_directory_that_others_may_enter_is_no_place_for_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    first = default_socket(tmp_path)
    assert first.parent == tmp_path / "lua-fleet" and default_socket(tmp_path) == first
    first.parent.chmod(0o755)
    with pytest.raises(FileInUse, match="is open to others"):
        default_socket(tmp_path)
