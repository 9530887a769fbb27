"""Following a run to its end: its result, and on the way what a person who waits would want to know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType, TimeoutType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import WorkflowExecutionDescription, WorkflowHandle
from temporalio.service import RPCError

from fleet.process.workflow_follow import follow

from .run_failure import RunFailure, indented, lua_failure

INTERVAL = 0.5
"""Seconds between two looks at a run."""

_UNPOLLED_AFTER = 2.0
_HISTORY_PAGE = 20


@dataclass(frozen=True)
class PendingActivity:
    """An activity that a run waits for: its type, attempt, whether a worker has it, and why its last attempt failed."""

    type: str
    attempt: int
    running: bool
    last_failure: str


@dataclass(frozen=True)
class TaskFailure:
    """A workflow task that fails again and again: `attempts` of them so far, the last words, and the Lua stack."""

    attempts: int
    message: str
    stack: str

    def render(self) -> str:
        """The message with the stack below it."""
        first, _, rest = self.stack.partition("\n")
        return self.message + indented(rest if first == self.message else self.stack)


@dataclass(frozen=True)
class Progress:
    """What a look at a run showed.

    Attributes:
        status: such as ``RUNNING``.
        seconds: since we began to follow.
        events: length of the history.
        pending: activities that the run waits for.
        task_failure: set while its workflow task fails; it is retried until the code is repaired.
        unpolled_queue: the task queue that no worker polls, or "".
    """

    status: str
    seconds: float
    events: int
    pending: tuple[PendingActivity, ...] = ()
    task_failure: TaskFailure | None = None
    unpolled_queue: str = ""


@dataclass(frozen=True)
class Ended:
    """How a run ended: `result` (a payload), or `failure`."""

    result: Payload | None = None
    failure: RunFailure | None = None


@dataclass
class Follower:
    """Follows one run.

    Attributes:
        handle: the run.
        on_progress: called after each look.
        give_up_after: attempts of a failing workflow task after which `ended` gives up; None waits for ever.
    """

    handle: WorkflowHandle[Any, Any]
    on_progress: Callable[[Progress], None]
    give_up_after: int | None = None
    _failure: TaskFailure | None = field(default=None, init=False)
    _seen: tuple[str, int, int] = field(default=("", 0, 0), init=False)

    async def ended(self) -> Ended:
        """Wait for the end, also while the server is away."""
        began = time.monotonic()
        result = asyncio.ensure_future(self._result())
        try:
            while not (await asyncio.wait([result], timeout=INTERVAL))[0]:
                progress = await self._look(time.monotonic() - began)
                if progress is None:
                    continue
                self.on_progress(progress)
                failing = progress.task_failure
                if failing is not None and self.give_up_after is not None and failing.attempts >= self.give_up_after:
                    text = f"the workflow task failed {failing.attempts} times: {failing.message}"
                    return Ended(failure=RunFailure("TASK_FAILED", text, stack=failing.stack))
            return result.result()
        finally:
            result.cancel()

    async def _result(self) -> Ended:
        ending = await follow(self.handle._client, self.handle.id, self.handle.result_run_id or "")
        if ending.error is not None:
            return Ended(failure=lua_failure(ending.error))
        return Ended(result=Payload.FromString(ending.value or b""))

    async def _look(self, seconds: float) -> Progress | None:
        try:
            described = await self.handle.describe()
            if seconds < _UNPOLLED_AFTER or described.raw_description.workflow_execution_info.history_length > 2:
                unpolled = ""
            else:
                unpolled = await self._unpolled(described)
            failing = await self._task_failure(described)
        except RPCError:
            # The wait for the result goes through the same connection, and logs that it has no answer.
            return None
        return Progress(
            status=described.status.name if described.status else "UNKNOWN",
            seconds=seconds,
            events=described.raw_description.workflow_execution_info.history_length,
            pending=tuple(_pending(activity) for activity in described.raw_description.pending_activities),
            task_failure=failing,
            unpolled_queue=unpolled,
        )

    async def _task_failure(self, described: WorkflowExecutionDescription) -> TaskFailure | None:
        raw = described.raw_description
        if not raw.HasField("pending_workflow_task"):
            self._failure = None
            return None
        seen = (described.run_id, raw.workflow_execution_info.history_length, raw.pending_workflow_task.attempt)
        if seen != self._seen:
            self._seen = seen
            self._failure = await self._last_task_failure(described, raw.pending_workflow_task.attempt - 1)
        return self._failure

    async def _last_task_failure(self, described: WorkflowExecutionDescription, attempts: int) -> TaskFailure | None:
        """The failures at the end of the history. The first of a row are recorded, later ones only counted."""
        answer = await self.handle._client.workflow_service.get_workflow_execution_history_reverse(
            GetWorkflowExecutionHistoryReverseRequest(
                namespace=described.namespace,
                execution=WorkflowExecution(workflow_id=described.id, run_id=described.run_id),
                maximum_page_size=_HISTORY_PAGE,
            )
        )
        failures = []
        for event in answer.history.events:
            if event.HasField("workflow_task_failed_event_attributes"):
                failure = event.workflow_task_failed_event_attributes.failure
                failures.append((failure.message, failure.stack_trace))
            elif event.HasField("workflow_task_timed_out_event_attributes"):
                # A task that its last worker did not fetch goes to the others: that is no failure.
                kind = event.workflow_task_timed_out_event_attributes.timeout_type
                if kind != TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START:
                    failures.append(("the worker did not answer in time (has it ended?)", ""))
            elif not (
                event.HasField("workflow_task_scheduled_event_attributes")
                or event.HasField("workflow_task_started_event_attributes")
            ):
                break
        attempts = max(attempts, len(failures))
        if not attempts:
            return None
        message, stack = failures[0] if failures else ("the server does not say why", "")
        return TaskFailure(attempts, message, stack)

    async def _unpolled(self, described: WorkflowExecutionDescription) -> str:
        """The run's task queue, if its first task waits there for a worker that does not exist."""
        answer = await self.handle._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=described.namespace,
                task_queue=TaskQueue(name=described.task_queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )
        return "" if answer.pollers else described.task_queue


def _pending(activity: Any) -> PendingActivity:
    return PendingActivity(
        type=activity.activity_type.name,
        attempt=activity.attempt,
        running=activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
        last_failure=activity.last_failure.message if activity.HasField("last_failure") else "",
    )
