"""Permits of a fleet of real processes follow the load of a real server."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from supervised import Start, Supervised, alive, free_port, until
from temporalio.client import Client


def queue(fleet: Supervised, kind: str) -> dict[str, Any]:
    [view] = [view for view in fleet.status()["task_queues"] if view["kind"] == kind]
    return view


def children(fleet: Supervised) -> set[int]:
    """Process ids of the supervisor's children."""
    pid = fleet.process.pid
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def reporter(fleet: Supervised) -> int:
    """Process id of the child that asks the server."""
    [pid] = children(fleet) - set(fleet.pids())
    return pid


async def begin(server_address: str, task_queue: str, count: int) -> list[Any]:
    client = await Client.connect(server_address)
    # Tasks long enough that a permit means load: no machine drains them before the permits have grown.
    order = {"steps": 3, "activity": "1s"}
    return [
        await client.start_workflow("app:flow", order, id=f"{task_queue}-{number}", task_queue=task_queue)
        for number in range(count)
    ]


async def test_permits_follow_the_load_and_the_backlog_drains(
    start: Start, server_address: str, tmp_path: Path
) -> None:
    target = f"127.0.0.1:{free_port()}"
    fleet = start(workers="2", scaling_activity_budget="24", scaling_down_after="3s", listen=target)
    await asyncio.to_thread(fleet.wait_ready, 2)
    assert queue(fleet, "activity")["permits"] == 4
    runs = await begin(server_address, tmp_path.name, 40)
    most = 0

    def grown() -> bool:
        nonlocal most
        view = queue(fleet, "activity")
        most = max(most, view["held"])
        return bool(view["permits"] >= 12)

    await asyncio.to_thread(fleet.until, grown)
    results = await asyncio.gather(*(run.result() for run in runs))
    assert results == [{"total": 6, "version": 1}] * 40
    assert most <= 24
    await asyncio.to_thread(fleet.until, lambda: queue(fleet, "activity")["permits"] <= 4)
    reasons = {event["reason"] for event in fleet.events("permits")}
    assert reasons & {"busy", "old_backlog"} and "idle" in reasons
    assert all(event["after"] <= 24 for event in fleet.events("permits") if event["kind"] == "activity")
    await asyncio.to_thread(fleet.until, lambda: queue(fleet, "activity")["stats"])
    page = (await asyncio.to_thread(urlopen, f"http://{target}/metrics")).read().decode()
    series = 'fleet_scaling_decisions_total{direction="up",entry="app:worker",kind="activity",reason="busy"}'
    assert series in page or series.replace("busy", "old_backlog") in page
    for name in ("permits_held", "wanting", "unpolled", "backlog_tasks", "backlog_age_seconds", "pollers"):
        assert f'fleet_task_queue_{name}{{entry="app:worker",kind="activity"}}' in page
    # The server's count is approximate, and comes to the truth later.
    await asyncio.to_thread(fleet.until, lambda: queue(fleet, "activity")["stats"]["backlog"] == 0)


def test_the_child_that_asks_the_server_is_replaced_and_leaves_with_the_supervisor(start: Start) -> None:
    fleet = start(workers="1", hung_after="3s").wait_ready(1)
    fleet.until(lambda: queue(fleet, "workflow")["stats"])
    first = reporter(fleet)
    # Without a sign of life it is as good as dead.
    os.kill(first, signal.SIGSTOP)
    fleet.until(lambda: not alive(first))
    assert [event["pid"] for event in fleet.events("reporter-hung")] == [first]
    fleet.until(lambda: len(children(fleet) - {first}) == 2)
    second = reporter(fleet)
    fleet.until(lambda: queue(fleet, "workflow")["stats"])
    fleet.stop(signal.SIGKILL)
    until(lambda: not alive(second))


def test_scaling_that_is_off_asks_nobody(start: Start) -> None:
    fleet = start(workers="1", scaling="off").wait_ready(1)
    status = fleet.status()
    assert status["task_queues"] == []
    assert status["workers"][0]["queues"][0]["activity"]["permits"] is None
    assert children(fleet) == set(fleet.pids())


def test_a_limit_that_names_no_queue_is_refused_at_once(start: Start) -> None:
    fleet = start(workers="1", scaling_limits="app:wroker/activity=1-2")
    assert fleet.wait() == 3
    assert "app:wroker/activity is not a queue that the application polls" in fleet.text
