"""Activity tasks that fleet.lane polls for, not the SDK's worker: their messages in, what runs them out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.bridge.proto.activity_task import Start
from temporalio.worker import Worker

from fleet.metrics.work import expect_activity

from .call import Functions
from .context import CONTEXT_HEADER, ActivityContext
from .execution import Execution, unknown_activity
from .finished import Outcome
from .recorded import RECORDED, Asker, Recorded


class Task(Protocol):
    """What a task is to what runs it."""

    def heartbeat(self, details: list[bytes]) -> None:
        """Record a heartbeat with these details: serialized payloads."""

    def cancellation(self) -> dict[str, Any] | None:
        """Why it is cancelled, as details of the error that the script gets; None when nobody knows."""


class Running(Protocol):
    """What runs a task; Execution is one."""

    def begin(self, over: Callable[[Outcome], None]) -> None:
        """Run; ``over`` is called once with the outcome."""

    def cancel(self) -> None:
        """End it in good order; the second time at once."""


class ActivityTasks:
    """The activities of the temporal.worker ``worker_id``.

    worker: polls for them; its client is the one that they use.
    """

    def __init__(self, functions: Functions, worker_id: str, worker: Worker) -> None:
        self._functions = functions
        self._worker_id = worker_id
        self._client, self._task_queue = worker.client, worker.task_queue
        self._client_id = functions.app.workers[worker_id].client
        self._served = {entry.id for entry in functions.app.activities_of(worker_id)}
        for entry_id in self._served:
            expect_activity(entry_id)

    def running(self, start: Start, task: Task) -> Running:
        """What runs a task. Raises LuaApplicationError for a type that is unknown."""
        entry_id = start.activity_type
        arguments = [payload.SerializeToString() for payload in start.input]
        if entry_id in RECORDED:
            asker = Asker(self._client, start.workflow_execution.run_id, start.activity_id)
            return _Recording(self._functions, RECORDED[entry_id], arguments, asker)
        if entry_id not in self._served:
            raise unknown_activity(entry_id, self._worker_id)
        header = start.header_fields.get(CONTEXT_HEADER)
        context = ActivityContext(
            describe=partial(_info, start, self._task_queue, start.workflow_namespace or self._client.namespace),
            send=task.heartbeat,
            canceled=task.cancellation,
            details=[payload.SerializeToString() for payload in start.heartbeat_details],
            client=self._client_id,
        )
        return Execution(
            self._functions,
            entry_id,
            arguments,
            header.SerializeToString() if header is not None else None,
            context,
            0.0 if start.is_local else start.heartbeat_timeout.ToNanoseconds() / 1e9,
        )


class _Recording:
    """An activity of the runtime itself."""

    def __init__(self, functions: Functions, recorded: Recorded, arguments: list[bytes], asker: Asker) -> None:
        self._functions = functions
        self._recorded = recorded
        self._arguments = arguments
        self._asker = asker
        self._task: asyncio.Task[bytes] | None = None

    def begin(self, over: Callable[[Outcome], None]) -> None:
        def done(task: asyncio.Task[bytes]) -> None:
            over(asyncio.CancelledError() if task.cancelled() else task.exception() or task.result())

        self._task = self._functions.spawn(self._recorded(self._arguments, self._asker))
        self._task.add_done_callback(done)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _info(start: Start, task_queue: str, namespace: str) -> dict[str, Any]:
    """What ``activity.info()`` shows."""

    def milliseconds(field: str) -> int | None:
        duration: Duration = getattr(start, field)
        nanoseconds = duration.ToNanoseconds()
        return round(nanoseconds / 1e6) if nanoseconds else None

    def unix(moment: Timestamp) -> int:
        return moment.ToMilliseconds()

    execution = start.workflow_execution
    return {
        "id": start.activity_id,
        "type": start.activity_type,
        "attempt": start.attempt,
        "workflow_id": execution.workflow_id or None,
        "run_id": execution.run_id or None,
        "workflow_type": start.workflow_type or None,
        "task_queue": task_queue,
        "namespace": namespace,
        "is_local": start.is_local,
        "heartbeat_timeout": milliseconds("heartbeat_timeout"),
        "start_to_close_timeout": milliseconds("start_to_close_timeout"),
        "schedule_to_close_timeout": milliseconds("schedule_to_close_timeout"),
        "scheduled_time": unix(start.scheduled_time),
        "current_attempt_scheduled_time": unix(start.current_attempt_scheduled_time),
        "started_time": unix(start.started_time),
    }
