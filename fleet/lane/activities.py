"""The activities of a core worker: begins each task on the event loop, and answers when it is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto import ActivityHeartbeat, ActivityTaskCompletion
from temporalio.bridge.proto.activity_task import ActivityCancellationDetails, ActivityTask, Cancel, Start
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, CancelledError

from fleet.activity import Outcome, Running, Task

from .bridge import ActivityCore
from .polled import Polled

log = logging.getLogger(__name__)

Make = Callable[[Start, Task], Running]
"""Makes what runs a task. What it raises fails the activity."""


class Observer(Protocol):
    """Is told of activities."""

    def activity_begins(self) -> None:
        """One begins."""

    def activity_ended(self, error: BaseException | None, is_local: bool, /) -> None:
        """One has ended, with an error or without."""


_REASONS = {
    "cancel_requested": "is_cancelled",
    "worker_shutdown": "is_worker_shutdown",
    "timed_out": "is_timed_out",
    "paused": "is_paused",
    "reset": "is_reset",
    "not_found": "is_not_found",
}
"""Why an activity is cancelled, as scripts see it, by what the core says."""


class ActivityLane(Polled):
    """The running activities of one core worker.

    core: where tasks come from. make: makes what runs them. observers: are told of each. converter: makes failures of
    errors.

    A task costs nothing of asyncio's as long as what runs it does not wait.
    """

    def __init__(
        self,
        core: ActivityCore,
        make: Make,
        observers: Sequence[Observer] = (),
        converter: DataConverter = DataConverter.default,
    ) -> None:
        super().__init__(core)
        self._activities = core
        self._make = make
        self._observers = observers
        self._converter = converter
        self._begun: dict[bytes, _Begun] = {}
        self._idle = asyncio.Event()

    async def finish(self) -> None:
        """Wait until each activity has ended, and the core knows it."""
        while self._begun:
            self._idle.clear()
            await self._idle.wait()
        await self._core.settled()

    def _taken(self, task: bytes) -> None:
        self._core.poll()
        super()._taken(task)

    def _take(self, task: bytes, /) -> None:
        """See base class."""
        message = ActivityTask.FromString(task)
        if message.HasField("start"):
            self._begin(message.task_token, message.start)
        elif message.HasField("cancel"):
            self._cancel(message.task_token, message.cancel)
        else:
            raise RuntimeError(f"Unrecognized activity task: {message}")

    def _refuse(self, task: bytes, /) -> None:
        """See base class."""
        message = ActivityTask.FromString(task)
        if not message.HasField("start"):
            return
        completion = ActivityTaskCompletion(task_token=message.task_token)
        _say(completion, "Worker shutting down")
        self._core.complete(message.start.activity_id, completion.SerializeToString())

    def _begin(self, token: bytes, start: Start) -> None:
        begun = self._begun[token] = _Begun(self._activities, token, start, self._over_with)
        for observer in self._observers:
            observer.activity_begins()
        try:
            begun.running = self._make(start, begun)
            begun.running.begin(begun.over)
        except Exception as error:
            begun.over(error)

    def _cancel(self, token: bytes, cancel: Cancel) -> None:
        begun = self._begun.get(token)
        if begun is None:
            log.debug("An activity is cancelled that has ended: %r", token)
            return
        begun.canceled = cancel.details
        if begun.running is not None:
            begun.running.cancel()

    def _over_with(self, begun: _Begun, outcome: Outcome) -> None:
        if self._begun.pop(begun.token, None) is None:
            # It was over, and what it did then has raised.
            return
        if not self._begun:
            self._idle.set()
        error = None if isinstance(outcome, bytes) else outcome
        for observer in self._observers:
            observer.activity_ended(error, begun.start.is_local)
        completion = ActivityTaskCompletion(task_token=begun.token)
        try:
            if isinstance(outcome, bytes):
                completion.result.completed.result.MergeFromString(outcome)
            else:
                self._fail(completion, begun, outcome)
        except Exception as inner:
            log.exception("The outcome of activity %s cannot be told: %s", begun.start.activity_id, outcome)
            _say(completion, f"Failed building the result: {inner}")
        self._core.complete(begun.start.activity_id, completion.SerializeToString())

    def _fail(self, completion: ActivityTaskCompletion, begun: _Begun, error: BaseException) -> None:
        """Write an error into a completion, as the SDK's worker words it."""
        result, why = completion.result, begun.canceled
        canceled = isinstance(error, asyncio.CancelledError | CancelledError)
        if canceled and why is not None and (why.is_paused or why.is_reset):
            kind = "Pause" if why.is_paused else "Reset"
            message = f"Unhandled activity cancel error produced by activity {kind.lower()}"
            error = ApplicationError(message, type=f"Activity{kind}")
        elif canceled and why is not None and (why.is_cancelled or why.is_worker_shutdown):
            self._convert(CancelledError("Cancelled"), result.cancelled.failure)
            return
        _log_failure(begun.start, error)
        self._convert(error, result.failed.failure)

    def _convert(self, error: BaseException, failure: Failure) -> None:
        self._converter.failure_converter.to_failure(error, self._converter.payload_converter, failure)


class _Begun:
    """An activity that has begun.

    Attributes:
        token, start: of its task.
        canceled: why it is cancelled, None while it is not.
        running: what runs it.
    """

    __slots__ = ("_core", "_over_with", "canceled", "running", "start", "token")

    def __init__(
        self, core: ActivityCore, token: bytes, start: Start, over_with: Callable[[_Begun, Outcome], None]
    ) -> None:
        self._core = core
        self._over_with = over_with
        self.token = token
        self.start = start
        self.canceled: ActivityCancellationDetails | None = None
        self.running: Running | None = None

    def over(self, outcome: Outcome) -> None:
        self._over_with(self, outcome)

    def heartbeat(self, details: list[bytes]) -> None:
        """See Task."""
        heartbeat = ActivityHeartbeat(task_token=self.token)
        for payload in details:
            heartbeat.details.add().MergeFromString(payload)
        self._core.heartbeat(heartbeat.SerializeToString())

    def cancellation(self) -> dict[str, Any] | None:
        """See Task."""
        if self.canceled is None:
            return None
        for reason, field in _REASONS.items():
            if getattr(self.canceled, field):
                return {"reason": reason}
        return None


def _say(completion: ActivityTaskCompletion, message: str) -> None:
    """Let it fail with a message alone."""
    failure = completion.result.failed.failure
    failure.message = message
    # The server refuses a failure without it, and the activity would time out.
    failure.application_failure_info.SetInParent()


def _log_failure(start: Start, error: BaseException) -> None:
    execution = start.workflow_execution
    failure = getattr(error, "failure", None)
    stack = f"\n{failure.stack_trace}" if failure is not None and failure.stack_trace else ""
    log.warning(
        "Activity failed: %s (%s, activity %s, attempt %d, workflow %s)%s",
        error,
        start.activity_type,
        start.activity_id,
        start.attempt,
        execution.workflow_id,
        stack,
        exc_info=None if failure is not None else error,
        extra={
            "fleet": {
                "entry": start.activity_type,
                "workflow_id": execution.workflow_id,
                "run_id": execution.run_id,
                "activity_id": start.activity_id,
                "attempt": start.attempt,
            }
        },
    )
