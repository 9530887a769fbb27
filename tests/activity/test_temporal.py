"""Lua activities on a real Temporal server (spec/activities.md; decisions 2, 3, 33 and 34)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from activity_apps import write_app
from temporalio import workflow
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice.v1 import PauseActivityRequest, ResetActivityRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, TimeoutError, TimeoutType
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from fleet.activity import (
    CONTEXT_HEADER,
    ActivityTasks,
    ContextInterceptor,
    Functions,
    activity_definitions,
    named_activity_definitions,
)
from fleet.lane.bridge import WorkerParts
from fleet.lane.worker import activity_side
from fleet.server import EmbeddedServer


@dataclass
class Order:
    """What the Python workflow of these tests does: one activity call."""

    activity: str
    args: list[Any]
    attempts: int = 1
    heartbeat: float | None = None
    timeout: float = 20.0
    local: bool = False
    cancel_after: float | None = None


@workflow.defn
class CallActivity:
    """Calls one activity by its type."""

    @workflow.run
    async def run(self, order: Order) -> Any:
        options: dict[str, Any] = {
            "args": order.args,
            "start_to_close_timeout": timedelta(seconds=order.timeout),
            "retry_policy": RetryPolicy(
                maximum_attempts=order.attempts, initial_interval=timedelta(milliseconds=10), backoff_coefficient=1.0
            ),
            "cancellation_type": workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        }
        if order.local:
            return await workflow.execute_local_activity(order.activity, **options)
        if order.heartbeat:
            options["heartbeat_timeout"] = timedelta(seconds=order.heartbeat)
        handle = workflow.start_activity(order.activity, **options)
        if order.cancel_after is not None:
            await asyncio.sleep(order.cancel_after)
            handle.cancel()
        return await handle


class SendContext(Interceptor):
    """Puts the context header on each activity, as Lua workflows do."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
                return super().start_activity(with_context(input))

            def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
                return super().start_local_activity(with_context(input))

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound


def with_context(input: Any) -> Any:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b'{"tenant":"acme","deep":{"n":1}}')
    input.headers = {**input.headers, CONTEXT_HEADER: payload}
    return input


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client() -> AsyncIterator[Client]:
    async with EmbeddedServer.start() as server:
        yield server.client


class Bench:
    """A worker of Lua functions and of CallActivity."""

    def __init__(self, client: Client, root: Path, stack: AsyncExitStack, lane: bool) -> None:
        self.client = client
        self.lane = lane
        self.queue = f"q-{uuid.uuid4()}"
        self._root = root
        self._stack = stack

    async def serve(
        self,
        sources: dict[str, str],
        *,
        definitions: Callable[..., Sequence[Any]] = activity_definitions,
        grace: float = 0.0,
        cleanup_seconds: float = 5.0,
    ) -> Worker:
        functions = await self._stack.enter_async_context(
            Functions.open(write_app(self._root, sources), cleanup_seconds=cleanup_seconds)
        )
        worker = Worker(
            self.client,
            task_queue=self.queue,
            workflows=[CallActivity],
            activities=definitions(functions, "app:worker"),
            interceptors=[SendContext(), ContextInterceptor()],
            workflow_runner=UnsandboxedWorkflowRunner(),
            graceful_shutdown_timeout=timedelta(seconds=grace),
        )
        if self.lane:
            parts = WorkerParts(worker)
            parts.replace(None, activity_side(parts, ActivityTasks(functions, "app:worker", worker).running))
        return await self._stack.enter_async_context(worker)

    async def start(self, activity: str, *args: Any, **options: Any) -> Any:
        order = Order(f"app:{activity}", list(args), **options)
        return await self.client.start_workflow(CallActivity.run, order, id=f"w-{uuid.uuid4()}", task_queue=self.queue)

    async def call(self, activity: str, *args: Any, **options: Any) -> Any:
        return await (await self.start(activity, *args, **options)).result()

    async def failure(self, activity: str, *args: Any, **options: Any) -> tuple[ActivityError, Failure]:
        """The failed activity's error and the failure as it stands in the history."""
        handle = await self.start(activity, *args, **options)
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, ActivityError), caught.value.cause
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                return caught.value.cause, event.activity_task_failed_event_attributes.failure
        return caught.value.cause, Failure()


@pytest_asyncio.fixture(loop_scope="module", params=["public", "lane"])
async def bench(client: Client, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(client, tmp_path, stack, request.param == "lane")


pytestmark = pytest.mark.asyncio(loop_scope="module")


def record(failure: Failure) -> dict[str, Any]:
    details = failure.application_failure_info.details.payloads
    return orjson.loads(details[0].data)["errors"][0]


async def test_arguments_and_result_are_lua_values(bench: Bench) -> None:
    await bench.serve(
        {
            "echo": """
        return {n = select('#', ...), first = (...), sum = select(2, ...) + 1, third = select(3, ...)}
    """
        }
    )
    result = await bench.call("echo", {"a": [1, 2.5, None, "x"]}, 9007199254740993, None)
    assert result == {"n": 3, "first": {"a": [1, 2.5, None, "x"]}, "sum": 9007199254740994}


async def test_named_definitions_serve_the_same(bench: Bench) -> None:
    await bench.serve(
        {
            "echo": "return {n = select('#', ...), first = (...), second = select(2, ...)}",
            "none": "return select('#', ...)",
        },
        definitions=named_activity_definitions,
    )
    assert await bench.call("echo", {"a": [1, 2.5, None]}, 2**53 + 1) == {
        "n": 2,
        "first": {"a": [1, 2.5, None]},
        "second": 2**53 + 1,
    }
    assert await bench.call("none") == 0
    assert await bench.call("none", None, None) == 2


async def test_lua_error_is_retried_and_carries_the_lua_stack(bench: Bench) -> None:
    await bench.serve({"fails": "local info = require('activity').info() error('attempt ' .. info.attempt)"})
    error, failure = await bench.failure("fails", attempts=3)
    assert isinstance(error.cause, ApplicationError)
    assert failure.message == "fails.lua:2: attempt 3"
    assert failure.application_failure_info.type == "INTERNAL"
    assert not failure.application_failure_info.non_retryable
    assert failure.source == "lua-fleet"
    assert failure.stack_trace.startswith("stack traceback:") and "fails.lua:2: in" in failure.stack_trace
    assert record(failure)["retry"] is False and record(failure)["kind"] == "INTERNAL"


async def test_error_object_that_is_not_retryable_ends_it(bench: Bench) -> None:
    await bench.serve(
        {
            "declined": """
        local errors = require('errors')
        local n = require('activity').info().attempt
        return nil, errors.new{message = 'declined', kind = errors.INVALID, retryable = false, details = {attempt = n}}
    """
        }
    )
    _, failure = await bench.failure("declined", attempts=5)
    assert (failure.message, failure.application_failure_info.type) == ("declined", "INVALID")
    assert failure.application_failure_info.non_retryable
    assert record(failure)["details"] == {"attempt": 1}


async def test_retryable_error_object_is_retried(bench: Bench) -> None:
    await bench.serve(
        {
            "flaky": """
        local n = require('activity').info().attempt
        if n < 3 then return nil, errors.new{message = 'busy', kind = errors.UNAVAILABLE, retryable = true} end
        return n
    """
        }
    )
    assert await bench.call("flaky", attempts=5) == 3


async def test_unregistered_activity_is_not_found_and_retried(bench: Bench) -> None:
    await bench.serve({"there": "return 1"})
    _, failure = await bench.failure("missing", attempts=2)
    assert failure.application_failure_info.type == "NOT_FOUND"
    assert not failure.application_failure_info.non_retryable
    assert "app:missing" in failure.message
    assert record(failure)["retry"] is True


async def test_context_header_reaches_ctx_and_nested_calls(bench: Bench) -> None:
    await bench.serve(
        {
            "outer": "local ctx = require('ctx') return {ctx.get('tenant'), (require('funcs').call('app:inner'))}",
            "inner": "return require('ctx').all()",
        }
    )
    assert await bench.call("outer") == ["acme", {"tenant": "acme", "deep": {"n": 1}}]


async def test_heartbeats_by_itself_while_it_waits(bench: Bench) -> None:
    await bench.serve({"long": "require('time').sleep('2500ms') return 'done'"})
    assert await bench.call("long", heartbeat=1.0) == "done"


async def test_heartbeats_by_itself_while_it_computes(bench: Bench) -> None:
    await bench.serve(
        {
            "busy": """
        local time = require('time')
        local started = time.now()
        while time.now():sub(started):seconds() < 2.5 do local x = 0 for i = 1, 10000 do x = x + i end end
        return 'done'
    """
        }
    )
    assert await bench.call("busy", heartbeat=1.0) == "done"


async def test_script_that_waits_for_nothing_times_out_by_heartbeat(bench: Bench) -> None:
    await bench.serve({"stuck": "channel.new():receive()"}, cleanup_seconds=0.1)
    error, _ = await bench.failure("stuck", heartbeat=1.0)
    assert isinstance(error.cause, TimeoutError) and error.cause.type == TimeoutType.HEARTBEAT


async def test_cancellation_reaches_the_blocked_operation(bench: Bench) -> None:
    await bench.serve(
        {
            "waits": """
        local time = require('time')
        local ok, err = pcall(time.sleep, '60s')
        return {ok = ok, kind = err:kind(), details = err:details()}
    """
        }
    )
    result = await bench.call("waits", heartbeat=0.6, cancel_after=0.3)
    assert result == {"ok": False, "kind": "CANCELED", "details": {"reason": "cancel_requested"}}


async def test_cancelled_activity_that_ends_with_it_is_cancelled(bench: Bench) -> None:
    await bench.serve({"waits": "require('time').sleep('60s')"})
    handle = await bench.start("waits", heartbeat=0.6, cancel_after=0.3)
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    error = caught.value.cause
    assert isinstance(error, ActivityError) and isinstance(error.cause, CancelledError)


async def test_heartbeat_details_survive_automatic_heartbeats_and_attempts(bench: Bench) -> None:
    await bench.serve(
        {
            "resumes": """
        local activity, time = require('activity'), require('time')
        local last = activity.last_heartbeat()
        if last == nil then
            activity.heartbeat({page = 7})
            time.sleep('900ms')
            error('crash after the heartbeat')
        end
        return last
    """
        }
    )
    assert await bench.call("resumes", attempts=2, heartbeat=0.9) == {"page": 7}


async def test_activity_info(bench: Bench) -> None:
    await bench.serve({"info": "return (require('activity').info())"})
    handle = await bench.start("info", heartbeat=5.0)
    info = await handle.result()
    assert info["type"] == "app:info" and info["attempt"] == 1 and info["task_queue"] == bench.queue
    assert info["workflow_id"] == handle.id and info["run_id"] == handle.result_run_id
    assert info["heartbeat_timeout"] == 5000 and info["is_local"] is False
    assert info["scheduled_time"] <= info["started_time"]


async def test_local_activity_takes_the_same_path(bench: Bench) -> None:
    await bench.serve({"here": "return {(require('activity').info()).is_local, (require('ctx').get('tenant')), ...}"})
    assert await bench.call("here", 5, local=True) == [True, "acme", 5]


async def test_shutdown_gives_running_activities_their_grace(bench: Bench) -> None:
    worker = await bench.serve({"slow": "require('time').sleep('1s') return 'finished'"}, grace=10.0)
    handle = await bench.start("slow")
    await started(handle)
    await worker.shutdown()
    await bench.serve({"slow": "return 'the second worker ran it again'"})
    assert await handle.result() == "finished"


async def test_activity_cut_off_by_shutdown_runs_again_elsewhere(bench: Bench) -> None:
    worker = await bench.serve({"slow": "require('time').sleep('60s') return 'finished'"}, grace=0.2)
    handle = await bench.start("slow", attempts=2)
    await started(handle)
    await worker.shutdown()
    await bench.serve({"slow": "return 'again'"})
    assert await handle.result() == "again"


@pytest.mark.parametrize("how", ["pause", "reset"])
async def test_an_activity_that_is_paused_or_reset_fails_with_that(bench: Bench, how: str) -> None:
    await bench.serve({"waits": "require('time').sleep('20s')"})
    handle = await bench.start("waits", attempts=3, heartbeat=0.3)
    await started(handle)
    activity = {"namespace": "default", "execution": WorkflowExecution(workflow_id=handle.id), "type": "app:waits"}
    if how == "pause":
        await bench.client.workflow_service.pause_activity(PauseActivityRequest(**activity))
    else:
        await bench.client.workflow_service.reset_activity(ResetActivityRequest(**activity))
    assert (await last_failure(handle)).application_failure_info.type == f"Activity{how.title()}"
    await handle.terminate()


async def test_a_result_that_is_too_large_fails_the_activity(bench: Bench) -> None:
    await bench.serve({"large": "return string.rep('x', 5 * 1024 * 1024)"})
    _, failure = await bench.failure("large")
    assert "size" in failure.message or "limit" in failure.message, failure


async def test_a_failure_is_logged_once_with_what_it_belongs_to(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.serve({"fails": "error('no')"})
    await bench.failure("fails")
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    if bench.lane:
        assert record.getMessage().startswith("Activity failed: INTERNAL: fails.lua:2: no (app:fails, activity 1")
        assert "fails.lua:2: in" in record.getMessage()
    else:
        assert "Completing activity as failed" in record.getMessage()


async def last_failure(handle: Any) -> Failure:
    """The failure of the pending activity's last attempt."""
    for _ in range(400):
        for pending in (await handle.describe()).raw_description.pending_activities:
            if pending.HasField("last_failure"):
                return pending.last_failure
        await asyncio.sleep(0.02)
    raise AssertionError("the activity has not failed")


async def started(handle: Any) -> None:
    """Wait until the activity runs: it is pending with a worker that took it."""
    for _ in range(400):
        description = await handle.describe()
        if any(a.last_worker_identity for a in description.raw_description.pending_activities):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the activity has not started")
