"""What the server says about task queues, asked in a child, read without waiting."""

from __future__ import annotations

import asyncio
import os
import select
import sys
import time
from pathlib import Path

import pytest
from temporalio.client import Client
from workflow_bench import Bench

from fleet.supervisor.page import Kind
from fleet.supervisor.scaling_stats import QueueStats, StatsFeed, TaskQueue, encode_report
from fleet.worker.queue_stats import describe

QUEUE = TaskQueue("app:worker", Kind.ACTIVITY)
STATS = QueueStats(backlog=7, age=1.5, add_rate=2.0, dispatch_rate=1.0, pollers=3)

CHILD = """
import os, sys
from fleet.registry import load_app
from fleet.supervisor.page import Kind
from fleet.supervisor.scaling_stats import TaskQueue
from fleet.worker.client import connect
from fleet.worker.queue_stats import report_queues

def connector(entry):
    return connect(entry, address=sys.argv[2], plaintext=True)

queues = [TaskQueue("app:worker", kind) for kind in Kind]
code = report_queues(load_app(sys.argv[1]), queues, connector, int(sys.argv[3]))
os._exit(code)
"""


def test_the_last_report_of_each_queue_counts_as_long_as_it_is_fresh() -> None:
    reading, writing = os.pipe()
    feed = StatsFeed(reading, 0.0)
    assert feed.read(0.0)
    other = TaskQueue("app:worker", Kind.WORKFLOW)
    whole = encode_report(QUEUE, QueueStats(1, 0.0, 0.0, 0.0, 1)) + encode_report(QUEUE, STATS)
    os.write(writing, whole + encode_report(other, STATS)[:10])
    assert feed.read(1.0)
    assert feed.fresh(2.0, 5.0) == {QUEUE: STATS}
    os.write(writing, encode_report(other, STATS)[10:])
    assert feed.read(4.0)
    assert feed.fresh(4.0, 5.0) == {QUEUE: STATS, other: STATS}
    assert feed.fresh(7.0, 5.0) == {other: STATS}
    os.close(writing)
    assert not feed.read(5.0)
    os.close(reading)


def test_a_broken_report_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    reading, writing = os.pipe()
    feed = StatsFeed(reading, 0.0)
    os.write(writing, b'{"worker": "app:wo\n[1]\n{"worker": "x", "kind": 9}\n' + encode_report(QUEUE, STATS))
    feed.read(0.0)
    assert feed.fresh(0.0, 5.0) == {QUEUE: STATS}
    assert caplog.text.count("cannot be read") == 3
    os.close(writing)
    os.close(reading)


async def wait_for_reports(feed: StatsFeed, wanted: int, least_backlog: int) -> dict[TaskQueue, QueueStats]:
    async with asyncio.timeout(40):
        while True:
            await asyncio.to_thread(select.select, [feed.descriptor], [], [], 1.0)
            assert feed.read(time.monotonic()), "the child has ended"
            fresh = feed.fresh(time.monotonic(), 10.0)
            if len(fresh) == wanted and sum(stats.backlog for stats in fresh.values()) >= least_backlog:
                return fresh


async def test_a_child_reports_the_backlog_and_ends_with_its_reader(bench: Bench, tmp_path: Path) -> None:
    bench.workflow("return 1")
    bench.load()
    client = await Client.connect(bench.address)
    for number in range(3):
        await client.start_workflow("app:wf", id=f"{bench.queue}-{number}", task_queue=bench.queue)
    assert (await describe(client, bench.queue, Kind.ACTIVITY)).backlog == 0
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    reading, writing = os.pipe()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        str(tmp_path),
        bench.address,
        str(writing),
        pass_fds=[writing],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    os.close(writing)
    feed = StatsFeed(reading, 0.0)
    reports = await wait_for_reports(feed, 2, 3)
    workflows = reports[TaskQueue("app:worker", Kind.WORKFLOW)]
    assert workflows.backlog == 3
    assert workflows.age > 0
    os.close(reading)
    async with asyncio.timeout(20):
        assert await child.wait() == 0
