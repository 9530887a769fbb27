"""Which lane a worker takes, what it says about it, and its errors, which are the SDK's on both lanes."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import temporalio.client
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.plugin import SimplePlugin
from temporalio.worker import ActivityInboundInterceptor, Interceptor, WorkflowInboundInterceptor
from temporalio.worker._workflow import _WorkflowWorker
from workflow_bench import PUBLIC, Bench

from fleet.lane import activities, fitness, workflows
from fleet.supervisor.page import Lane, Page
from fleet.worker.serve import serve
from fleet.worker.watch import Watch


@activity.defn
async def foreign() -> None:
    """An activity in Python."""


class Codec(PayloadCodec):
    async def encode(self, payloads: Any) -> list[Payload]:
        return list(payloads)

    decode = encode


class Looking(Interceptor, temporalio.client.Interceptor):
    def workflow_interceptor_class(self, input: Any) -> type[WorkflowInboundInterceptor]:
        return WorkflowInboundInterceptor


class LookingAtActivities(Interceptor, temporalio.client.Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return next


@pytest.fixture
def echo(bench: Bench) -> Bench:
    bench.workflow("return ...")
    return bench


async def test_workflows_take_the_fast_lane(echo: Bench) -> None:
    async with echo.serving(echo.load()) as serving:
        assert serving.lanes == {"app:worker": Lane.FAST}
        assert serving.warnings == []
        assert await (await echo.start(serving, 7)).result() == 7


async def test_the_lane_can_be_left(echo: Bench) -> None:
    async with echo.serving(echo.load(), PUBLIC) as serving:
        assert serving.lanes == {"app:worker": Lane.PUBLIC}
        assert serving.warnings == []


@pytest.mark.parametrize(
    ("client_options", "reason"),
    [
        ({"data_converter": dataclasses.replace(DataConverter.default, payload_codec=Codec())}, "payload codec"),
        ({"interceptors": [Looking()]}, "workflow interceptor"),
        ({"interceptors": [LookingAtActivities()]}, "activity interceptor"),
        ({"plugins": [SimplePlugin("tests", activities=[foreign])]}, "activities that are not Lua"),
    ],
)
async def test_what_only_the_sdk_serves_selects_it(echo: Bench, client_options: dict[str, Any], reason: str) -> None:
    client = await Client.connect(echo.address, **client_options)

    async def connect(entry: Any) -> Client:
        return client

    async with serve(echo.load(), connect) as serving:
        assert serving.lanes == {"app:worker": Lane.PUBLIC}
        (warning,) = serving.warnings
        assert "app:worker" in warning and reason in warning
        assert await (await echo.start(serving, 7)).result() == 7


async def test_debug_mode_selects_it(echo: Bench) -> None:
    async with echo.serving(echo.load(), debug_mode=True) as serving:
        assert serving.lanes == {"app:worker": Lane.PUBLIC}
        assert ["debug mode" in warning for warning in serving.warnings] == [True]


def another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitness, "_found", None)
    monkeypatch.setattr("temporalio.__version__", "1.99.0")


def another_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_WorkflowWorker, "drain_poll_queue")


@pytest.mark.parametrize(
    ("sdk", "reason"), [(another_version, "temporalio 1.99.0 is not known"), (another_worker, "drain_poll_queue")]
)
async def test_another_sdk_selects_it(
    echo: Bench, sdk: Callable[[pytest.MonkeyPatch], None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk(monkeypatch)
    async with echo.serving(echo.load()) as serving:
        assert serving.lanes == {"app:worker": Lane.PUBLIC}
        (warning,) = serving.warnings
        assert "app:worker" in warning and reason in warning
        assert await (await echo.start(serving, 7)).result() == 7


async def failed_task(handle: WorkflowHandle[Any, Any]) -> Any:
    """The failure of the first task that fails."""
    while True:
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                return event.workflow_task_failed_event_attributes.failure
        await asyncio.sleep(0.05)


async def test_an_unknown_type_fails_its_task_alike(echo: Bench) -> None:
    failures = []
    for options in ({}, PUBLIC):
        async with echo.serving(echo.load(), options) as serving:
            handle = await serving.clients["app:temporal"].start_workflow(
                "nobody's", id=f"unknown-{uuid.uuid4().hex[:8]}", task_queue=echo.queue
            )
            failure = await failed_task(handle)
            failures.append((failure.message, failure.application_failure_info.type))
            await handle.terminate()
    assert failures[0] == failures[1]
    assert "nobody's is not registered on this worker, available workflows: app:wf" in failures[0][0]
    assert failures[0][1] == "NotFoundError"


async def test_a_run_in_quarantine_is_not_run(bench: Bench) -> None:
    bench.workflow("process.listen('go'):receive()", modules="process")
    page = Page(1)
    watch = Watch(page.slots[0], page.quarantine)
    async with bench.serving(bench.load(), {"watch": watch}) as serving:
        assert serving.lanes == {"app:worker": Lane.FAST}
        handle = await bench.start(serving)
        await bench.event(handle, "workflow_task_completed")
        assert handle.first_execution_run_id is not None
        for _ in range(2):
            page.quarantine.add(handle.first_execution_run_id)
        await handle.signal("go")
        assert "is in quarantine" in (await failed_task(handle)).message
        page.quarantine.release(handle.first_execution_run_id)
        await handle.result()
    assert page.slots[0].in_flight == 0 and page.slots[0].activating is None
    assert page.slots[0].progress > 0


async def test_a_lane_that_breaks_ends_its_worker(echo: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: workflows.WorkflowLane, activation: bytes) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(workflows.WorkflowLane, "_take", broken)
    async with echo.serving(echo.load()) as serving:
        handle = await echo.start(serving, 7)
        with pytest.raises(RuntimeError, match="Workflow worker failed"):
            await serving.failed()
    monkeypatch.undo()
    async with echo.serving(echo.load()):
        assert await handle.result() == 7


async def test_activities_that_break_the_lane_end_their_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: activities.ActivityLane, token: bytes, start: Any) -> None:
        raise LookupError("a bug")

    bench.function("return { main = function() return 7 end }", "seven")
    bench.workflow("return (funcs.call('app:seven'))", modules="funcs")
    monkeypatch.setattr(activities.ActivityLane, "_begin", broken)
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving)
        with pytest.raises(RuntimeError, match="Activity worker failed"):
            await serving.failed()
    monkeypatch.undo()
    async with bench.serving(bench.load()):
        assert await handle.result() == 7


async def test_a_worker_without_workflows_takes_it_too(bench: Bench) -> None:
    bench.function("return { main = function(n) return n + 1 end }", "more")
    async with bench.serving(bench.load()) as serving:
        assert serving.lanes == {"app:worker": Lane.FAST}
        result = await serving.clients["app:temporal"].execute_activity(
            "app:more",
            6,
            id=f"more-{uuid.uuid4().hex[:8]}",
            task_queue=bench.queue,
            start_to_close_timeout=timedelta(seconds=10),
        )
        assert result == 7


async def test_a_result_that_is_too_large_fails_its_task_alike(bench: Bench) -> None:
    bench.workflow("return string.rep('x', 5 * 1024 * 1024)")
    failures = []
    for options in ({}, PUBLIC):
        async with bench.serving(bench.load(), options) as serving:
            handle = await bench.start(serving)
            failures.append(await failed_task(handle))
            await handle.terminate()
    assert failures[0].message == failures[1].message
    assert failures[0].application_failure_info == failures[1].application_failure_info
