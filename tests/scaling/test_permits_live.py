"""A worker on a real server takes as many tasks as its permits say, while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from workflow_bench import Bench

from fleet.server import EmbeddedServer
from fleet.supervisor.page import Kind, Page, Tasks
from fleet.worker.permits import WorkerPermits

FAN_OUT = """
    local futures = {}
    for i = 1, 40 do futures[i] = funcs.async("app:nap") end
    for i = 1, 40 do futures[i]:channel():receive() end
    return "done"
"""


@pytest.fixture(params=[True, False], ids=["lane", "public"])
def lane(request: pytest.FixtureRequest) -> bool:
    """Whether permits are handed to the core directly."""
    return bool(request.param)


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench on a server that lets a poll wait for 3 s, in place of a minute."""
    config = {"matching.longPollExpirationInterval": "3s"}
    async with EmbeddedServer.start(dynamic_config=config) as server:
        yield Bench(server.address, tmp_path)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


class Most:
    """The most that were in hand at once since the last look."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._seen = 0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            self._seen = max(self._seen, self._tasks.used)
            await asyncio.sleep(0.005)

    def look(self) -> int:
        seen, self._seen = self._seen, 0
        return seen

    def stop(self) -> None:
        self._task.cancel()


async def test_permits_follow_the_page_and_the_backlog_drains(impatient: Bench, lane: bool) -> None:
    bench = impatient
    bench.function("return { main = function() require('time').sleep('100ms') return 1 end }", "nap", modules="time")
    bench.workflow(FAN_OUT, modules="funcs")
    slot = Page(1).slots[0]
    activities, workflows = slot.tasks(0, Kind.ACTIVITY), slot.tasks(0, Kind.WORKFLOW)
    activities.permits, workflows.permits = 2, 2
    app = bench.load()
    async with bench.serving(app, {"permits": WorkerPermits(slot), "lane": lane}) as serving:
        most = Most(activities)
        first = await bench.start(serving)
        await until(lambda: activities.finished >= 6)
        assert most.look() == 2
        activities.permits = 10
        await until(lambda: most.look() > 5)
        assert await first.result() == "done"
        assert (activities.used, activities.finished) == (0, 40)
        assert activities.busy >= 40 * 100_000_000

        activities.permits = 3
        await until(lambda: activities.held <= 3)
        most.look()
        assert await (await bench.start(serving)).result() == "done"
        assert most.look() <= 3
        most.stop()
    assert (activities.held, activities.used, workflows.used) == (0, 0, 0)


async def test_two_workflow_permits_serve_new_runs_beside_cached_ones(impatient: Bench, lane: bool) -> None:
    bench = impatient
    bench.workflow("require('time').sleep('50ms') return 'done'", modules="time")
    slot = Page(1).slots[0]
    workflows = slot.tasks(0, Kind.WORKFLOW)
    workflows.permits = 2
    async with bench.serving(bench.load(), {"permits": WorkerPermits(slot), "lane": lane}) as serving:
        handles = [await bench.start(serving) for _ in range(10)]
        assert [await handle.result() for handle in handles] == ["done"] * 10
    assert workflows.finished >= 20


async def test_activities_that_fail_are_counted_for_each_attempt(impatient: Bench, lane: bool) -> None:
    bench = impatient
    bench.function("return { main = function(fail) if fail then error('no') end return 1 end }", "maybe")
    bench.workflow(
        """
        funcs.call("app:maybe", false)
        local options = { ["activity.retry_policy"] = { maximum_attempts = 3, initial_interval = "10ms" } }
        local _, err = funcs.new():with_options(options):call("app:maybe", true)
        return err:kind()
        """,
        modules="funcs",
    )
    slot = Page(1).slots[0]
    activities = slot.tasks(0, Kind.ACTIVITY)
    async with bench.serving(bench.load(), {"permits": WorkerPermits(slot), "lane": lane}) as serving:
        assert await (await bench.start(serving)).result() == "INTERNAL"
        assert (activities.finished, activities.failed) == (4, 3)
