"""Lua functions as activities of a temporalio Worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from fleet._core import LuaError
from fleet.metrics.work import expect_activity

from . import payloads
from .call import Functions
from .context import CONTEXT_HEADER, ActivityContext
from .execution import Execution, unknown_activity
from .failure import LuaApplicationError
from .finished import finished
from .recorded import RECORDED, Asker, Recorded

_context: ContextVar[bytes | None] = ContextVar("lua-fleet-context", default=None)


class ContextInterceptor(Interceptor):
    """Hands the context header of an activity to its Lua function. A worker of Lua activities needs it."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See base class."""
        return _ContextInbound(next)


class _ContextInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        header = input.headers.get(CONTEXT_HEADER)
        # Each activity runs in a task, and so in a context, of its own.
        _context.set(header.SerializeToString() if header is not None else None)
        return await self.next.execute_activity(input)


def activity_definitions(functions: Functions, worker_id: str) -> list[Callable[..., Any]]:
    """The activities of a fleet worker: one dynamic activity, which serves every entry that names ``worker_id`` and
    what the runtime itself records (recorded.py).

    A type that no such entry has fails with kind NOT_FOUND and is retried: a later deployment may bring it.
    """
    served = {entry.id for entry in functions.app.activities_of(worker_id)}
    client = functions.app.workers[worker_id].client
    for entry_id in served:
        expect_activity(entry_id)

    @activity.defn(dynamic=True)
    async def lua_activity(args: Sequence[RawValue]) -> RawValue:
        entry_id = activity.info().activity_type
        if entry_id in RECORDED:
            return await _record(RECORDED[entry_id], _payloads(args))
        if entry_id not in served:
            raise unknown_activity(entry_id, worker_id)
        return await _execute(functions, entry_id, _payloads(args), client)

    return [lua_activity]


def _payloads(args: Sequence[RawValue]) -> list[bytes]:
    return [arg.payload.SerializeToString() for arg in args]


def named_activity_definitions(functions: Functions, worker_id: str) -> list[Callable[..., Any]]:
    """The activities of ``worker_id`` for a Worker that has others too: one definition for each entry, and those of the
    runtime itself.

    The SDK gives raw payloads to dynamic activities only; these take what the worker's own payload converter made of
    the arguments, and hand it to Lua as JSON.
    """
    own = [_named_record(name, recorded) for name, recorded in RECORDED.items()]
    client = functions.app.workers[worker_id].client
    return [_named(functions, entry.id, client) for entry in functions.app.activities_of(worker_id)] + own


async def _record(recorded: Recorded, arguments: list[bytes]) -> RawValue:
    info = activity.info()
    asker = Asker(activity.client(), info.workflow_run_id or "", info.activity_id)
    return RawValue(Payload.FromString(await recorded(arguments, asker)))


def _named_record(name: str, recorded: Recorded) -> Callable[..., Any]:
    @activity.defn(name=name)
    async def recorded_activity(*args: Any) -> RawValue:
        return await _record(recorded, [payloads.encode(arg) for arg in args])

    return recorded_activity


def _named(functions: Functions, entry_id: str, client: str) -> Callable[..., Any]:
    @activity.defn(name=entry_id)
    async def lua_activity(*args: Any) -> RawValue:
        encoded = []
        for position, arg in enumerate(args, 1):
            try:
                encoded.append(payloads.encode(arg))
            except (TypeError, ValueError) as error:
                raise LuaApplicationError(
                    LuaError(
                        f"argument {position} of {entry_id}: a {type(arg).__name__} cannot be given to Lua: {error}",
                        "INVALID",
                        False,
                    )
                ) from None
        return await _execute(functions, entry_id, encoded, client)

    return lua_activity


async def _execute(functions: Functions, entry_id: str, arguments: list[bytes], client: str) -> RawValue:
    info = activity.info()
    context = ActivityContext(
        describe=partial(_info, info),
        send=_send,
        canceled=_cancellation,
        details=_earlier_details(info.heartbeat_details),
        client=client,
    )
    heartbeat = info.heartbeat_timeout.total_seconds() if info.heartbeat_timeout and not info.is_local else 0.0
    execution = Execution(functions, entry_id, arguments, _context.get(), context, heartbeat)
    return RawValue(Payload.FromString(await finished(execution.begin, execution.cancel)))


def _send(details: list[bytes]) -> None:
    activity.heartbeat(*(RawValue(Payload.FromString(payload)) for payload in details))


def _cancellation() -> dict[str, Any] | None:
    details = activity.cancellation_details()
    if details is None:
        return None
    for reason in ("cancel_requested", "worker_shutdown", "timed_out", "paused", "reset", "not_found"):
        if getattr(details, reason):
            return {"reason": reason}
    return None


def _earlier_details(values: Sequence[Any]) -> list[bytes]:
    """The last heartbeat of an earlier attempt, which the SDK has decoded."""
    try:
        return [payloads.encode(value) for value in values]
    except (TypeError, ValueError):
        return []


def _info(info: activity.Info) -> dict[str, Any]:
    def milliseconds(duration: timedelta | None) -> int | None:
        return round(duration.total_seconds() * 1000) if duration is not None else None

    def unix(moment: datetime) -> int:
        return int(moment.timestamp() * 1000)

    return {
        "id": info.activity_id,
        "type": info.activity_type,
        "attempt": info.attempt,
        "workflow_id": info.workflow_id,
        "run_id": info.workflow_run_id,
        "workflow_type": info.workflow_type,
        "task_queue": info.task_queue,
        "namespace": info.namespace,
        "is_local": info.is_local,
        "heartbeat_timeout": milliseconds(info.heartbeat_timeout),
        "start_to_close_timeout": milliseconds(info.start_to_close_timeout),
        "schedule_to_close_timeout": milliseconds(info.schedule_to_close_timeout),
        "scheduled_time": unix(info.scheduled_time),
        "current_attempt_scheduled_time": unix(info.current_attempt_scheduled_time),
        "started_time": unix(info.started_time),
    }
