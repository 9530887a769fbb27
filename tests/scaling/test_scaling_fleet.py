"""The control loop on a page: what workers write is read, permits are written, and silence is heard."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from fleet.registry import App, load_app
from fleet.supervisor.journal import Journal
from fleet.supervisor.page import Kind, Page, State, Tasks
from fleet.supervisor.scaling_fleet import FleetScaling
from fleet.supervisor.scaling_queues import limits_of, scaled_queues
from fleet.supervisor.scaling_stats import QueueStats, TaskQueue
from fleet.supervisor.scaling_workers import WorkerCount
from fleet.supervisor.settings import Settings, SettingsError

SECOND = 1_000_000_000
WORK = TaskQueue("app:work", Kind.ACTIVITY)


def application(root: Path, *workers: str, size: int = 20) -> App:
    """Each worker of these has a workflow and an activity."""
    root.mkdir(exist_ok=True)
    (root / "f.lua").write_text("return { main = function() return 1 end }")
    entries: list[dict[str, object]] = [{"name": "temporal", "kind": "temporal.client", "address": "localhost:7233"}]
    for name in workers:
        options = {"max_concurrent_activity_execution_size": size}
        entries.append(
            {
                "name": name,
                "kind": "temporal.worker",
                "client": "app:temporal",
                "task_queue": f"q-{name}",
                "worker_options": options,
            }
        )
        for kind, role in (("workflow", "workflow"), ("function", "activity")):
            entries.append(
                {
                    "name": f"{kind}-{name}",
                    "kind": f"{kind}.lua",
                    "source": "file://f.lua",
                    "method": "main",
                    "meta": {"temporal": {role: {"worker": f"app:{name}"}}},
                }
            )
    document = {"version": "1.0", "namespace": "app", "entries": entries}
    (root / "_index.yaml").write_text(yaml.safe_dump(document))
    return load_app(root)


class Rig:
    """A fleet without processes."""

    def __init__(self, app: App, slots: int = 2, settings: Settings | None = None) -> None:
        self.page = Page(4)
        self.journal = Journal()
        self.fleet = FleetScaling(self.page, self.journal)
        self.fleet.adopt(app, 1, settings or Settings())
        self.slots = list(range(slots))
        self.now = 100.0
        for slot in self.slots:
            self.page.slots[slot].generation = 1
            self.page.slots[slot].state = State.READY
            self.page.slots[slot].tasks(0, Kind.WORKFLOW).held = 1

    def tick(self, backlog: int | None = None, seconds: int = 1) -> None:
        stats = {} if backlog is None else {WORK: QueueStats(backlog, 9.0, 0.0, 0.0, 1)}
        for _ in range(seconds):
            self.now += 1
            self.fleet.tick(self.now, self.slots, stats)

    def words(self, slot: int, queue: TaskQueue = WORK, number: int = 0) -> Tasks:
        return self.page.slots[slot].tasks(number, queue.kind)

    def work(self, slot: int) -> None:
        """All permits of the slot are busy for a second."""
        tasks = self.words(slot)
        tasks.held = tasks.used = tasks.permits or 0
        tasks.busy += tasks.used * SECOND

    def permits(self) -> list[int | None]:
        return [self.words(slot).permits for slot in range(4)]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(application(tmp_path / "app", "work"))


def test_each_worker_begins_with_the_least(rig: Rig) -> None:
    rig.tick()
    assert rig.permits() == [2, 2, None, None]
    assert [rig.page.slots[slot].tasks(0, Kind.WORKFLOW).permits for slot in (0, 1)] == [2, 2]


def test_permits_grow_evenly_up_to_what_the_entry_allows(rig: Rig) -> None:
    rig.tick()
    for _ in range(12):
        for slot in rig.slots:
            rig.work(slot)
        rig.tick(backlog=1000)
    assert rig.permits()[:2] == [20, 20]
    assert rig.fleet.exhausted()
    assert {event["event"] for event in rig.journal.recent} == {"permits"}
    assert rig.journal.recent[-1]["after"] == 40


def test_a_budget_bounds_all_queues_together(tmp_path: Path) -> None:
    app = application(tmp_path / "app", "a", "b")
    rig = Rig(app, settings=Settings(scaling_activity_budget=10))
    queues = [(TaskQueue("app:a", Kind.ACTIVITY), 0), (TaskQueue("app:b", Kind.ACTIVITY), 1)]
    rig.tick()
    for _ in range(12):
        for slot in rig.slots:
            for queue, number in queues:
                tasks = rig.words(slot, queue, number)
                tasks.held = tasks.used = tasks.permits or 0
                tasks.busy += tasks.used * SECOND
        rig.tick()
    assert [view.permits for view in rig.fleet.view() if view.queue.kind is Kind.ACTIVITY] == [5, 5]
    assert sum(rig.words(slot, *row).permits or 0 for slot in rig.slots for row in queues) == 10


def test_a_new_process_counts_from_zero(rig: Rig) -> None:
    rig.tick()
    rig.work(0)
    rig.tick()
    rig.page.slots[0].clear()
    rig.page.slots[0].generation = 1
    rig.tick(seconds=3)
    assert rig.permits()[0] == 2


def test_a_slot_that_ends_hands_its_permits_over_as_its_tasks_end(rig: Rig) -> None:
    rig.tick()
    for _ in range(4):
        for slot in rig.slots:
            rig.work(slot)
        rig.tick(backlog=1000)
    before = rig.permits()[1]
    assert before is not None and before >= 8
    rig.slots = [0]
    rig.tick()
    held = rig.words(1).held
    assert rig.permits()[1] == 0 and held > 0
    mine = rig.permits()[0]
    assert mine is not None and mine + held <= 20 * 2
    rig.words(1).held = rig.words(1).used = 0
    for _ in range(5):
        rig.work(0)
        rig.tick(backlog=1000)
    assert rig.permits()[:2] == [20, 0]


def test_entries_that_come_and_go_with_a_reload_are_told_apart_by_generation(tmp_path: Path) -> None:
    rig = Rig(application(tmp_path / "old", "work"))
    rig.tick()
    rig.fleet.adopt(application(tmp_path / "new", "before", "work"), 2, Settings())
    rig.page.slots[1].clear()
    rig.page.slots[1].generation = 2
    rig.tick()
    assert rig.words(0, number=0).permits == 2
    assert rig.words(1, number=1).permits == 2
    assert rig.words(1, TaskQueue("app:before", Kind.ACTIVITY), number=0).permits is not None


def test_nobody_who_polls_beside_free_permits_is_an_alarm(rig: Rig) -> None:
    for slot in rig.slots:
        rig.words(slot).held = 1
    rig.tick(seconds=20)
    assert not any(view.unpolled for view in rig.fleet.view())
    for slot in rig.slots:
        rig.words(slot).held = 0
    rig.tick(seconds=5)
    assert not any(view.unpolled for view in rig.fleet.view())
    rig.tick(seconds=30)
    assert [view.queue for view in rig.fleet.view() if view.unpolled] == [WORK]
    assert [event["kind"] for event in rig.journal.recent if event["event"] == "unpolled"] == ["activity"]
    rig.words(0).held = 1
    rig.tick()
    assert not any(view.unpolled for view in rig.fleet.view())


def test_all_permits_busy_is_no_alarm(rig: Rig) -> None:
    rig.tick()
    for slot in rig.slots:
        tasks = rig.words(slot)
        tasks.held = tasks.used = tasks.permits or 0
    rig.tick(backlog=0, seconds=30)
    assert not any(view.unpolled for view in rig.fleet.view())


def test_scaling_that_is_switched_off_leaves_the_sizes_of_the_entries(rig: Rig) -> None:
    rig.tick()
    rig.fleet.leave()
    assert rig.permits() == [None] * 4


def test_limits_bound_the_queue_of_the_whole_fleet(tmp_path: Path) -> None:
    app = application(tmp_path / "app", "work")
    limits = (("app:work/activity", 6, 9), ("app:work/workflow", 0, 0))
    rig = Rig(app, settings=Settings(scaling_limits=limits))
    rig.tick()
    assert rig.permits()[:2] == [3, 3]
    assert rig.page.slots[0].tasks(0, Kind.WORKFLOW).permits == 0
    for _ in range(6):
        for slot in rig.slots:
            rig.work(slot)
        rig.tick(backlog=100)
    assert rig.permits()[:2] == [5, 4]


def test_a_limit_of_no_queue_is_refused(tmp_path: Path) -> None:
    queues = scaled_queues(application(tmp_path / "app", "work"))
    with pytest.raises(SettingsError, match=r"app:wrk/activity is not a queue .*\n.*app:work/workflow"):
        limits_of((("app:wrk/activity", 1, 2),), queues)


def test_workers_come_when_cpus_are_busy_and_go_after_a_while() -> None:
    count, workers, changes = WorkerCount(1, 4, down_after=30.0), 1, []
    for second in range(300):
        load = 3.0 if second < 120 else 0.3
        change = count.tick(float(second), workers, min(load, workers), wanting=False)
        if change is not None:
            workers = change.workers
            changes.append((second, workers))
    assert max(number for _, number in changes) == 4
    assert workers == 1
    ups = [second for second, number in changes if second < 120]
    downs = [second for second, number in changes if second >= 120]
    assert len(ups) == 3 and len(downs) == 3, "it wavers"
    assert min(b - a for a, b in pairwise(ups)) >= 15
    assert downs[0] >= 150


def test_a_worker_comes_for_permits_that_are_wanting() -> None:
    count = WorkerCount(1, 2, down_after=30.0)
    change = count.tick(0.0, 1, 0.1, wanting=True)
    assert change is not None and change.workers == 2
    assert "wanting" in change.text
    assert all(count.tick(float(second), 2, 0.1, wanting=True) is None for second in range(1, 200))


def test_the_number_of_workers_is_brought_within_its_bounds() -> None:
    change = WorkerCount(2, 4, down_after=30.0).tick(0.0, 1, 0.0, wanting=False)
    assert change is not None and change.workers == 2
