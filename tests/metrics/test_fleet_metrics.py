"""The supervisor's part of the page: decisions are counted, and how things are is asked for at each reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_server import check_page, samples

from fleet.metrics import work
from fleet.metrics.families import Gauge
from fleet.supervisor import web
from fleet.supervisor.metrics import FleetMetrics


def worker(slot: int, pid: int = 1, **more: Any) -> dict[str, Any]:
    """A slot as status.py has it."""
    tasks = {"permits": 5, "held": 2, "used": 1}
    queues = [{"worker": "app:w", "task_queue": "q", "workflow": tasks, "activity": {**tasks, "permits": None}}]
    facts = {"memory": 100, "lua_bytes": 10, "cached_runs": 3, "in_flight": 1, "beat_age": 0.5, "lane": "fast"}
    return {"slot": slot, "pid": pid, "state": "ready" if pid else "waiting", "queues": queues, **facts, **more}


STATS = {"backlog": 3, "age": 1.5, "add_rate": 2.0, "dispatch_rate": 1.0, "pollers": 2}


def queue(kind: str, stats: dict[str, Any] | None) -> dict[str, Any]:
    """A task queue as status.py has it while it is scaled."""
    return {
        "worker": "app:w",
        "kind": kind,
        "permits": 7,
        "held": 5,
        "wanting": False,
        "unpolled": True,
        "stats": stats,
    }


class Fleet:
    def __init__(self, directory: Path) -> None:
        self.status: dict[str, Any] = {
            "workers": [worker(0), worker(1)],
            "quarantine": {"run": 2},
            "task_queues": [queue("workflow", STATS), queue("activity", None)],
        }
        self.metrics = FleetMetrics(directory, lambda: self.status)

    def page(self) -> dict[tuple[str, ...], float]:
        return samples(self.metrics.page())


def test_how_things_are(directory: Path) -> None:
    fleet = Fleet(directory)
    check_page(fleet.metrics.page())
    found = fleet.page()
    assert found["fleet_slots", "state=ready"] == 2
    assert found["fleet_quarantined_runs",] == 1
    assert found["fleet_workflow_cached_runs", "slot=1"] == 3
    assert found["fleet_worker_lane", "lane=fast", "slot=1"] == 1
    assert found["fleet_task_queue_tasks_in_hand", "entry=app:w", "kind=activity"] == 2
    assert found["fleet_task_queue_permits", "entry=app:w", "kind=workflow"] == 7
    assert found["fleet_task_queue_unpolled", "entry=app:w", "kind=workflow"] == 1
    assert found["fleet_task_queue_backlog_age_seconds", "entry=app:w", "kind=workflow"] == 1.5
    assert ("fleet_task_queue_backlog_age_seconds", "entry=app:w", "kind=activity") not in found


def test_a_worker_that_is_gone_has_no_gauges(directory: Path) -> None:
    fleet = Fleet(directory)
    work.STORE.attach(directory, "1")
    polls = Gauge(work.STORE, "t_polls", "Polls.")
    polls.labels().set(4)
    work.count_activation("completed", 0.1, False, 1, 1)
    assert fleet.page()["t_polls",] == 4
    fleet.status["workers"][1] = worker(1, pid=0, beat_age=None)
    fleet.metrics.noted("died", {"slot": 1, "reason": "signal"})
    found = fleet.page()
    assert ("t_polls",) not in found and ("fleet_worker_beat_age_seconds", "slot=1") not in found
    assert found["fleet_workflow_activations_total", "result=completed"] == 1
    assert found["fleet_slots", "state=waiting"] == 1


def test_decisions_are_counted_from_zero_on(directory: Path) -> None:
    fleet = Fleet(directory)
    assert fleet.page()["fleet_worker_restarts_total", "reason=stuck"] == 0
    fleet.metrics.noted("died", {"slot": 0, "reason": "stuck"})
    fleet.metrics.noted("ended", {"slot": 0, "reason": "reload", "took": 1.5})
    for before, after in ((4, 8), (8, 4), (4, 2)):
        more = {"entry": "app:w", "kind": "activity", "reason": "busy"}
        fleet.metrics.noted("permits", {"before": before, "after": after, **more})
    for event in ("reloaded", "reload-invalid", "reload-refused", "rolled-back", "ready"):
        fleet.metrics.noted(event, {})
    found = fleet.page()
    assert found["fleet_worker_restarts_total", "reason=stuck"] == 1
    assert found["fleet_worker_restarts_total", "reason=reload"] == 1
    assert found["fleet_worker_drain_seconds_sum",] == 1.5
    labels = ("entry=app:w", "kind=activity", "reason=busy")
    assert found["fleet_scaling_decisions_total", "direction=down", *labels] == 2
    assert [found["fleet_reloads_total", f"result={one}"] for one in ("done", "invalid", "refused", "rolled_back")] == [
        1
    ] * 4


def test_a_damaged_file_does_not_end_the_fleet(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    fleet = Fleet(directory)
    (directory / "counter_0.db").write_bytes(b"\x60\0\0\0" + b"\x7f" * 200)
    answers: list[bytes] = []
    handle = web.handler(None, fleet.metrics.page)  # type: ignore[arg-type]
    handle(b"GET /metrics HTTP/1.1\r\n\r\n", answers.append)
    assert answers[0].startswith(b"HTTP/1.1 500 ")
    assert "the metrics cannot be read" in caplog.text
