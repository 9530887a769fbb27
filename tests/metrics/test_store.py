"""Numbers in the files of slots: what the death of a process leaves, and what the next one makes of it."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_server import samples

from fleet.metrics import exposition as exposition_module
from fleet.metrics import store as store_module
from fleet.metrics.exposition import Exposition, NoRoom, make_directory
from fleet.metrics.families import MOST_SERIES, OTHER, Counter, Gauge, Histogram
from fleet.metrics.store import Store


class Worker:
    """What a worker process counts with."""

    def __init__(self) -> None:
        self.store = Store()
        self.tasks = Counter(self.store, "t_tasks", "Tasks.", ["result"])
        self.cached = Gauge(self.store, "t_cached", "Runs.")
        self.times = Histogram(self.store, "t_seconds", "Time.", bounds=[0.1, 1.0])


def in_a_child(work: Callable[[], None]) -> None:
    """Run `work` in a forked process, which is killed when it has ended."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_counts_survive_kill_and_the_next_process_goes_on(directory: Path) -> None:
    worker = Worker()

    def life(slot: str, cached: int) -> Callable[[], None]:
        def work() -> None:
            worker.store.attach(directory, slot)
            worker.tasks.labels("done").add()
            worker.times.labels().observe(0.5)
            worker.cached.labels().add(cached)

        return work

    page = Exposition(directory)
    for _ in range(30):
        in_a_child(life("0", 3))
    in_a_child(life("1", 4))
    assert samples(page.metrics()) == {
        ("t_tasks_total", "result=done"): 31,
        ("t_cached",): 7,
        ("t_seconds_sum",): 15.5,
        ("t_seconds_count",): 31,
        ("t_seconds_bucket", "le=0.1"): 0,
        ("t_seconds_bucket", "le=1.0"): 31,
        ("t_seconds_bucket", "le=+Inf"): 31,
    }
    assert len(list(directory.iterdir())) == 6
    page.ended("0")
    assert samples(page.metrics())["t_cached",] == 4


def test_what_the_parent_counted_is_not_the_childs(directory: Path) -> None:
    worker = Worker()
    worker.tasks.labels("done").add(5)
    worker.store.attach(directory, "0")
    worker.tasks.labels("done").add()
    assert samples(Exposition(directory).metrics())["t_tasks_total", "result=done"] == 1


def test_values_on_the_bounds_of_buckets(directory: Path) -> None:
    worker = Worker()
    worker.store.attach(directory, "0")
    for value in (0.0, 0.1, 0.1001, 1.0, 7.0):
        worker.times.labels().observe(value)
    found = samples(Exposition(directory).metrics())
    assert [found["t_seconds_bucket", f"le={bound}"] for bound in ("0.1", "1.0", "+Inf")] == [2, 4, 5]


def test_a_file_grows_and_earlier_numbers_go_on(directory: Path) -> None:
    worker = Worker()
    worker.store.attach(directory, "0")
    first = worker.tasks.labels("first")
    first.add()
    others = [Counter(worker.store, f"t_{number}", "x" * 1000) for number in range(1000)]
    for other in others:
        other.labels().add()
    first.add()
    assert (directory / "counter_0.db").stat().st_size > 1 << 20
    found = samples(Exposition(directory).metrics())
    assert found["t_tasks_total", "result=first"] == 2
    assert sum(value for (name, *_), value in found.items() if name.startswith("t_")) == 1002
    again = Worker()
    again.store.attach(directory, "0")
    assert again.tasks.labels("first").get() == 2


def test_label_sets_are_bounded(directory: Path) -> None:
    worker = Worker()
    worker.store.attach(directory, "0")
    for number in range(MOST_SERIES + 50):
        worker.tasks.labels(str(number)).add()
    found = samples(Exposition(directory).metrics())
    assert len(found) == MOST_SERIES + 1
    assert found["t_tasks_total", f"result={OTHER}"] == 50


def test_numbers_that_a_full_disk_has_no_room_for_wait_in_memory(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker()
    worker.store.attach(directory, "0")
    worker.tasks.labels("before").add()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    page = Exposition(directory)
    with monkeypatch.context() as disk:
        disk.setattr(store_module.os, "posix_fallocate", full)
        worker.cached.labels().set(3)
        worker.times.labels().observe(1)
        worker.tasks.labels("before").add()
        worker.store.settle()
        assert len(caplog.records) == 1
        assert "No space left" in caplog.text
        assert {key[0] for key in samples(page.metrics())} == {"t_tasks_total"}
        assert len(list(directory.iterdir())) == 1
    worker.times.labels().observe(1)
    worker.store.settle()
    worker.times.labels().observe(1)
    assert "there is space again" in caplog.text
    found = samples(page.metrics())
    assert [found[key] for key in (("t_tasks_total", "result=before"), ("t_cached",), ("t_seconds_count",))] == [
        2,
        3,
        3,
    ]
    worker.store.settle()
    assert samples(page.metrics()) == found


def test_a_fleet_without_room_for_its_metrics_says_how_much_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoRoom, match=r"need \d+.\d MiB of space: /dev/shm has \d+.\d, .*\n    free some"):
        make_directory(1 << 40)
    shared = Path("/dev/shm")
    monkeypatch.setattr(exposition_module, "_free_bytes", lambda root: 0 if root == shared else 1 << 30)
    made = make_directory(1)
    assert made.parent == Path(tempfile.gettempdir())
    made.rmdir()


def test_directories_of_fleets_that_run_stay_whatever_their_process_is_called() -> None:
    made = make_directory(1)
    as_if_in_another_container = made.rename(made.with_name(made.name.replace(f"-{os.getpid()}-", "-999999999-")))
    again = make_directory(1)
    assert as_if_in_another_container.is_dir()
    for path in (as_if_in_another_container, again):
        path.rmdir()


def test_directories_of_fleets_that_were_killed_are_removed() -> None:
    read, write = os.pipe()

    def work() -> None:
        os.write(write, str(make_directory(1)).encode())

    in_a_child(work)
    left = Path(os.read(read, 4096).decode())
    assert left.is_dir()
    made = make_directory(1)
    assert not left.exists()
    assert made.is_dir()
    made.rmdir()
