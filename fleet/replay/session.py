"""Replays histories one after another, each with what its run saw, and reports on each."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from temporalio.bridge.proto.workflow_activation import InitializeWorkflow, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowReplayResult,
)
from temporalio.workflow import NondeterminismError

from fleet.lane import LaneReplayer, fits, serialized
from fleet.registry import App, WorkflowEntry
from fleet.registry.problems import did_you_mean
from fleet.workflow import (
    LuaRun,
    LuaWorkflow,
    LuaWorkflowInstance,
    LuaWorkflowRunner,
    Origin,
    WorkflowScripts,
    workflow_class,
)

from .divergence import Divergence, Issued, find_divergence

Status = Literal["ok", "nondeterminism", "failed", "error"]


@dataclass(frozen=True)
class ReplayReport:
    """What a replay showed.

    Attributes:
        workflow_id, run_id, workflow_type: of the recorded run.
        status: ``ok``: the code fits; ``nondeterminism``: it issues other commands than those recorded; ``failed``: a
            workflow task fails (the message has the reason); ``error``: the history cannot be replayed.
        message: why, "" when ok.
        stack: the Lua traceback of a failed task, or "".
        divergence: the command and event that do not fit, when they could be found.
        lane: how it was replayed; ``fast``: the core was driven directly, ``runner``: on the SDK's replayer, "": not.
        activations: how many activations the replay took.
        seconds: how long the replay took, the median of its repetitions; 0 when it did not come to an end.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    status: Status
    message: str = ""
    stack: str = ""
    divergence: Divergence | None = None
    lane: str = ""
    activations: int = 0
    seconds: float = 0.0


@dataclass
class _Attempt:
    """One replay of one history, as the instance sees it."""

    origin: Origin
    explained: bool
    activations: int = 0
    failure: WorkflowActivationCompletion | None = None
    issued: list[Issued] = field(default_factory=list)
    reached: set[int] = field(default_factory=set)


class _Run(LuaRun):
    """A run on the lane that takes notes of what it does."""

    attempt: _Attempt

    def activate(self, activation: bytes, is_replaying: bool, jobs: int) -> bytes:
        """Apply an activation, and count it."""
        self.attempt.activations += 1
        return super().activate(activation, is_replaying, jobs)

    def task_failed(self, completion: WorkflowActivationCompletion) -> None:
        """Keep what it failed with."""
        super().task_failed(completion)
        self.attempt.failure = completion


class _Instance(LuaWorkflowInstance):
    """An instance that takes notes of what it does."""

    def __init__(self, runner: _Runner, entry_id: str, info: Any, attempt: _Attempt) -> None:
        places: dict[int, str] = {}
        self._places = places
        self._attempt = attempt
        issued = places.__setitem__ if attempt.explained else None
        super().__init__(runner.scripts, entry_id, info, attempt.origin, issued)

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """Apply an activation, and note the commands with the event that they answer."""
        self._places.clear()
        completion = super().activate(act)
        if len(act.jobs) == 1 and act.jobs[0].HasField("remove_from_cache"):
            return completion
        attempt = self._attempt
        attempt.activations += 1
        if completion.HasField("failed"):
            attempt.failure = completion
        if attempt.explained:
            attempt.reached.add(act.history_length)
            for number, command in enumerate(completion.successful.commands, 1):
                attempt.issued.append(Issued(act.history_length, command, self._places.get(number, "")))
        return completion


class _Runner(LuaWorkflowRunner):
    """A runner for one attempt after another."""

    attempt: _Attempt

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        if not issubclass(det.defn.cls, LuaWorkflow):
            return super().create_instance(det)
        return _Instance(self, det.defn.cls.entry_id, det.info, self.attempt)


def _core_message(text: str) -> str:
    """The sentence in core's words: it wraps them in the text of a whole failure."""
    match = re.search(r'message: "((?:[^"\\]|\\.)*)"', text)
    return match[1].replace('\\"', '"') if match else text


class ReplaySession:
    """Replays histories of one application, one at a time; made by :meth:`open`."""

    def __init__(self, app: App, scripts: WorkflowScripts, namespace: str | None) -> None:
        self._app = app
        self._scripts = scripts
        self._namespace = namespace
        self._types = {entry.type_name: entry for entry in app.workflows.values()}
        self._runner = _Runner(scripts, UnsandboxedWorkflowRunner())
        self._stack = AsyncExitStack()
        self._histories: asyncio.Queue[WorkflowHistory | None] = asyncio.Queue()
        self._results: AsyncIterator[WorkflowReplayResult] | None = None
        self._fast = False
        self._replayer: LaneReplayer | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, app: App, *, namespace: str | None = None, lane: bool = True) -> AsyncIterator[ReplaySession]:
        """A session for the length of an ``async with`` block.

        namespace: where the runs lived; None takes it from the client of their worker (decision 14). lane: drive the
        core directly where the installed SDK allows it; what does not fit is always explained on the SDK's replayer.
        """
        scripts = WorkflowScripts(app)
        session = cls(app, scripts, namespace)
        session._fast = lane and await fits()
        try:
            yield session
        finally:
            await session._close()
            scripts.close()

    async def replay(self, history: WorkflowHistory, *, repeat: int = 1) -> ReplayReport:
        """Replay a history `repeat` times, and report. Raises nothing about the history or the code."""
        started = history.events[0].workflow_execution_started_event_attributes
        report = ReplayReport(
            history.workflow_id, started.original_execution_run_id, started.workflow_type.name, status="ok"
        )
        entry = self._types.get(started.workflow_type.name)
        if entry is None:
            hint = did_you_mean(started.workflow_type.name, self._types) or "it has no workflows"
            message = f"the application has no workflow of the type {started.workflow_type.name}: {hint}"
            return replace(report, status="error", message=message)
        if not any(event.HasField("workflow_task_scheduled_event_attributes") for event in history.events):
            # Not begun, because of a start delay or a schedule: core would wait for ever for a task.
            return report
        origin = Origin(started.task_queue.name, self._namespace or self._namespace_of(entry))
        report = replace(report, lane="fast" if self._fast else "runner")
        data = serialized(history)
        times = []
        for _ in range(repeat):
            attempt = _Attempt(origin, explained=False)
            began = time.perf_counter()
            if self._fast:
                error = await self._fast_attempt(history.workflow_id, data, attempt)
            else:
                error = await self._attempt(history, attempt)
            times.append(time.perf_counter() - began)
            if error is not None:
                return await self._explain(report, history, attempt, error)
        return replace(report, activations=attempt.activations, seconds=statistics.median(times))

    async def _explain(
        self, report: ReplayReport, history: WorkflowHistory, attempt: _Attempt, error: Exception
    ) -> ReplayReport:
        report = replace(report, activations=attempt.activations)
        if attempt.failure is not None:
            failure = attempt.failure.failed.failure
            first, _, rest = failure.stack_trace.partition("\n")
            stack = rest if first == failure.message else failure.stack_trace
            return replace(report, status="failed", message=failure.message, stack=stack)
        message = _core_message(str(error))
        if not isinstance(error, NondeterminismError):
            return replace(report, status="error", message=message)
        # Once more, this time with every command's place: too slow for the thousands that fit.
        again = _Attempt(attempt.origin, explained=True)
        await self._attempt(history, again)
        divergence = find_divergence(history.events, again.issued, again.reached)
        return replace(report, status="nondeterminism", message=message, divergence=divergence)

    async def _fast_attempt(self, workflow_id: str, history: bytes, attempt: _Attempt) -> Exception | None:
        def start(run_id: str, job: InitializeWorkflow) -> _Run:
            entry = self._types[job.workflow_type]
            run = _Run(self._scripts, entry.id, job.workflow_id, run_id, attempt.origin)
            run.attempt = attempt
            return run

        try:
            if self._replayer is None:
                self._replayer = LaneReplayer(self._app.content_hash)
            return await self._replayer.replay(workflow_id, history, start)
        except Exception as error:
            # The replay worker itself has ended: the next history gets a new one.
            await self._close()
            return error

    async def _attempt(self, history: WorkflowHistory, attempt: _Attempt) -> Exception | None:
        self._runner.attempt = attempt
        try:
            if self._results is None:
                self._results = await self._start()
            await self._histories.put(history)
            result = await anext(self._results)
        except Exception as error:
            # The replay worker itself has ended: the next history gets a new one.
            await self._close()
            return error
        return result.replay_failure

    async def _start(self) -> AsyncIterator[WorkflowReplayResult]:
        self._stack = AsyncExitStack()
        self._histories = asyncio.Queue()
        replayer = Replayer(
            workflows=[workflow_class(entry) for entry in self._app.workflows.values()],
            workflow_runner=self._runner,
            namespace=self._namespace or "default",
            build_id=self._app.content_hash,
        )
        return await self._stack.enter_async_context(replayer.workflow_replay_iterator(self._pushed(self._histories)))

    @staticmethod
    async def _pushed(histories: asyncio.Queue[WorkflowHistory | None]) -> AsyncIterator[WorkflowHistory]:
        while (history := await histories.get()) is not None:
            yield history

    async def _close(self) -> None:
        if self._results is not None:
            self._results = None
            await self._stack.aclose()
        if self._replayer is not None:
            replayer, self._replayer = self._replayer, None
            await replayer.close()

    def _namespace_of(self, entry: WorkflowEntry) -> str:
        if entry.worker is not None:
            return self._app.clients[self._app.workers[entry.worker].client].namespace
        return "default"
