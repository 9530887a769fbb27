"""タイマー: the hours and days pass on the server that skips time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from scenario import Stage
from temporalio.client import WorkflowHandle
from time_skipping import start_time_skipping
from workflow_bench import Bench


async def test_durable_sleeps(tmp_path: Path) -> None:
    async with await start_time_skipping() as environment:
        bench = Bench(environment.client.service_client.config.target_host, tmp_path)
        bench.workflow(
            """
            local time = require("time")
            local began = time.now()

            time.sleep("24h")
            time.sleep("5m")
            time.sleep("30s")
            time.sleep(100 * time.MILLISECOND)
            return time.now():sub(began):milliseconds()
            """,
            modules="time",
        )
        app = bench.load()
        slept = timedelta(hours=24, minutes=5, seconds=30, milliseconds=100) / timedelta(milliseconds=1)
        for overrides in ({}, {"max_cached_workflows": 0}):
            async with bench.serving(app, **overrides):
                # Time is skipped while the environment's own client waits for a result.
                handle: WorkflowHandle[Any, Any] = await environment.client.start_workflow(
                    "app:wf", id=f"sleeper-{len(overrides)}", task_queue=bench.queue
                )
                outcome = await bench.outcome(handle)
            assert slept <= outcome.result < slept + 60_000
            timers = outcome.attributes("timer_started")
            assert [timer.start_to_fire_timeout.ToMilliseconds() for timer in timers] == [
                86_400_000,
                300_000,
                30_000,
                100,
            ]
            await bench.replay(app, outcome)


async def test_timers_survive_the_worker(stage: Stage) -> None:
    stage.workflow(
        """
        local start = time.now()
        time.sleep("1s")
        local elapsed = time.now():sub(start):milliseconds()
        return elapsed >= 1000
        """,
        modules="time",
    )
    assert await stage.run_sample() is True
