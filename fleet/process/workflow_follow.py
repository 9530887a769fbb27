"""Following a workflow to its end, through continue-as-new, retries, cron and resets (spec/workflows.md, section 9)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import Client, WorkflowHandle, WorkflowHistoryEventFilterType
from temporalio.common import RawValue
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError

from fleet._core import LuaError
from fleet.activity import payloads

from .workflow_errors import TRANSIENT, refused
from .workflow_failure import failure_error, terminated

T = TypeVar("T")

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
"""Seconds before a question that got no answer is asked again."""


@dataclass(frozen=True)
class Ending:
    """How a workflow ended: `error`, or else `value`, the serialized payload of its result."""

    value: bytes | None = None
    error: LuaError | None = None

    @property
    def abnormal(self) -> bool:
        """Whether links break with LINK_DOWN: everything but a completion is abnormal."""
        return self.error is not None


async def follow(client: Client, workflow_id: str, run_id: str = "") -> Ending:
    """Wait for the end of the last run of a chain.

    client: of the workflow's namespace. run_id: the run to begin with; "" for the latest of that workflow id.
    A workflow that does not exist ends with an error of kind NOT_FOUND. While the server is away, the wait goes on.
    """
    if not run_id:
        described = await _described(client, workflow_id, "")
        if isinstance(described, LuaError):
            return Ending(error=described)
        run_id = described.workflow_execution_info.execution.run_id
    while True:
        event = await _close_event(client, workflow_id, run_id)
        if isinstance(event, LuaError):
            return Ending(error=event)
        following = getattr(_attributes(event), "new_execution_run_id", "")
        if not following and event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            following = await _reset_to(client, workflow_id, run_id)
        if not following:
            return await _ending(client, workflow_id, event)
        run_id = following


class Following:
    """Follows many workflows: one poll per run, however many wait for its end."""

    def __init__(self) -> None:
        self._tasks: dict[tuple[Client, str, str], tuple[asyncio.Task[Ending], int]] = {}

    async def follow(self, client: Client, workflow_id: str, run_id: str = "") -> Ending:
        """As `follow`; the poll ends when nobody waits any more."""
        key = (client, workflow_id, run_id)
        task, waiting = self._tasks.get(key) or (asyncio.create_task(follow(client, workflow_id, run_id)), 0)
        self._tasks[key] = (task, waiting + 1)
        try:
            return await asyncio.shield(task)
        finally:
            waiting = self._tasks[key][1] - 1
            if waiting:
                self._tasks[key] = (task, waiting)
            else:
                del self._tasks[key]
                task.cancel()


async def _close_event(client: Client, workflow_id: str, run_id: str) -> HistoryEvent | LuaError:
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(workflow_id, run_id=run_id)

    async def ask() -> HistoryEvent | None:
        events = handle.fetch_history_events(
            wait_new_event=True, event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT, skip_archival=True
        )
        async for event in events:
            return event
        return None

    return await _answer(ask, workflow_id)


async def _described(client: Client, workflow_id: str, run_id: str) -> DescribeWorkflowExecutionResponse | LuaError:
    """The server's description of a run, of the latest one for ""."""
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(workflow_id, run_id=run_id or None)

    async def ask() -> DescribeWorkflowExecutionResponse:
        return (await handle.describe()).raw_description

    return await _answer(ask, workflow_id)


async def _answer(ask: Callable[[], Awaitable[T | None]], workflow_id: str) -> T | LuaError:
    """What `ask` gives, asked again while there is no server or nothing to tell; the error when it is final."""
    pause = _FIRST_PAUSE
    while True:
        try:
            answer = await ask()
            if answer is not None:
                return answer
        except RPCError as error:
            if error.status not in TRANSIENT:
                return refused(error, f"cannot watch workflow {workflow_id}").error
            # One line for each time that the server is away, however long that is.
            level = logging.WARNING if pause == _FIRST_PAUSE else logging.DEBUG
            logger.log(level, "watching workflow %s: %s; asking again until there is an answer", workflow_id, error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _reset_to(client: Client, workflow_id: str, run_id: str) -> str:
    """The run that replaced a terminated one because somebody reset it, or ""."""
    described = await _described(client, workflow_id, run_id)
    return "" if isinstance(described, LuaError) else str(described.workflow_extended_info.reset_run_id)


def _attributes(event: HistoryEvent) -> Any:
    return getattr(event, event.WhichOneof("attributes") or "")


async def _ending(client: Client, workflow_id: str, event: HistoryEvent) -> Ending:
    attributes = _attributes(event)
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
            return await _completed(client, workflow_id, list(attributes.result.payloads))
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
            return Ending(error=await _failed(client, workflow_id, attributes.failure))
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
            return Ending(error=LuaError("operation canceled", "CANCELED", False))
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
            error = terminated()
            error.details = {"reason": attributes.reason} if attributes.reason else None
            return Ending(error=error)
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
            details = {"timeout_type": "start_to_close"}
            return Ending(error=LuaError("workflow timed out", "TIMEOUT", False, details))
    return Ending(error=LuaError(f"the workflow ended with {EventType.Name(event.event_type)}", "INTERNAL", None))


async def _completed(client: Client, workflow_id: str, found: list[Payload]) -> Ending:
    if not found:
        return Ending(value=payloads.encode(None))
    try:
        (value,) = await _converter(client, workflow_id).decode(found[:1], [RawValue])
    except Exception as error:
        # Codecs raise what they like. The result is still in the history: nothing is lost by saying so.
        text = f"the result of workflow {workflow_id} cannot be decoded: {type(error).__name__}: {error}"
        return Ending(error=LuaError(text, "INVALID", False))
    return Ending(value=value.payload.SerializeToString())


async def _failed(client: Client, workflow_id: str, failure: Failure) -> LuaError:
    try:
        # Decodes in place.
        await _converter(client, workflow_id).decode_failure(failure)
    except Exception as wrong:
        text = f"the failure of workflow {workflow_id} cannot be decoded: {type(wrong).__name__}: {wrong}"
        return LuaError(text, "INTERNAL", None, None, failure.stack_trace)
    return failure_error(failure)


def _converter(client: Client, workflow_id: str) -> Any:
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    return client.data_converter.with_context(context)
