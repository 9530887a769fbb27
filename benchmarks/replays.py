"""Replays of one history: on temporalio's Replayer, as `fleet replay` does it, on the bare bridge, by the TypeScript
SDK, and by a workflow instance alone."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import temporalio.workflow
from conftest import Spent
from idle_runner import IdleSteps
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from fleet.lane import serialized
from fleet.lane.bridge import CoreClosed, ReplayCore
from fleet.registry import App
from fleet.replay.session import ReplaySession

TYPESCRIPT = Path(__file__).parent / "typescript"


class Replays:
    """A Replayer that is kept open, so that its start and end are in nobody's time.

    Usage: `await open()`, `await replay(times)` as often as wanted, `await close()`, all on one event loop.
    """

    def __init__(self, replayer: Replayer, history: WorkflowHistory) -> None:
        self._replayer = replayer
        self._history = history
        self._orders: asyncio.Queue[WorkflowHistory | None] = asyncio.Queue()

    async def open(self) -> None:
        """Start the worker."""
        self._context = self._replayer.workflow_replay_iterator(self._histories())
        self._results = await self._context.__aenter__()

    async def replay(self, times: int) -> None:
        """Replay the history `times` times, one after the other. Raises what a replay fails with."""
        for _ in range(times):
            self._orders.put_nowait(self._history)
            result = await anext(self._results)
            if result.replay_failure is not None:
                raise result.replay_failure

    async def close(self) -> None:
        """End the worker."""
        self._orders.put_nowait(None)
        async for _ in self._results:
            pass
        await self._context.__aexit__(None, None, None)

    async def _histories(self) -> AsyncIterator[WorkflowHistory]:
        while (history := await self._orders.get()) is not None:
            yield history


class LaneReplays:
    """Replays as `fleet replay` does them; used like Replays, on uvloop."""

    def __init__(self, app: App, history: WorkflowHistory) -> None:
        self._context = ReplaySession.open(app)
        self._history = history

    async def open(self) -> None:
        """Open the session."""
        self._session = await self._context.__aenter__()

    async def replay(self, times: int) -> None:
        """Replay the history `times` times. Raises RuntimeError when it does not fit."""
        report = await self._session.replay(self._history, repeat=times)
        if (report.status, report.lane) != ("ok", "fast"):
            raise RuntimeError(f"{report.lane}: {report.status}: {report.message}")

    async def close(self) -> None:
        """Close the session."""
        await self._context.__aexit__(None, None, None)


class BareReplays:
    """The bridge driven directly by handlers that do next to nothing: what is left is Temporal's core. On uvloop."""

    def __init__(self, activities: int, history: WorkflowHistory) -> None:
        self._activities = activities
        self._history = serialized(history)
        self._gone = asyncio.Event()

    async def open(self) -> None:
        """Start the worker."""
        self._core = ReplayCore("bare")
        self._serving = asyncio.create_task(self._serve())

    async def replay(self, times: int) -> None:
        """Replay the history `times` times."""
        for _ in range(times):
            self._gone.clear()
            await self._core.push("bare", self._history)
            await self._gone.wait()

    async def close(self) -> None:
        """End the worker."""
        await self._core.close(lambda: asyncio.wait((self._serving,)))

    async def _serve(self) -> None:
        ref, steps = self._core._ref, IdleSteps(self._activities)
        completed: asyncio.Future[None] | None = None
        try:
            while True:
                activation = WorkflowActivation.FromString(await ref.poll_workflow_activation())
                completed = ref.complete_workflow_activation(steps.answer(activation).SerializeToString())
                if activation.jobs[0].HasField("remove_from_cache"):
                    steps = IdleSteps(self._activities)
                    completed.add_done_callback(lambda _: self._gone.set())
        except CoreClosed:
            # The core is not finalized while it deals with one.
            if completed is not None:
                await completed


class TypeScriptReplayer:
    """Node with the TypeScript SDK's replayer, kept open. CPU time and wall time are its own.

    directory: where `make bench-typescript` installed the SDK.
    """

    def __init__(self, directory: Path) -> None:
        for file in TYPESCRIPT.glob("*.js"):
            shutil.copy(file, directory)
        self._node = subprocess.Popen(
            ["node", "replayer.js"], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def replay(self, times: int, history: Path) -> Spent:
        """Replay the serialized history in a file `times` times. Raises RuntimeError when it does not fit."""
        assert self._node.stdin is not None and self._node.stdout is not None
        print(times, history, file=self._node.stdin, flush=True)
        answer = json.loads(self._node.stdout.readline() or '{"error": "node has ended"}')
        if "error" in answer:
            raise RuntimeError(f"TypeScript SDK: {answer['error']}")
        return Spent(answer["cpu"], answer["wall"])

    def close(self) -> None:
        """End it."""
        self._node.communicate()


@dataclass
class Recording(WorkflowRunner):
    """Runs what `inner` runs, and keeps what the worker gave it.

    Attributes:
        inner: the runner that does the work.
        details: the arguments of create_instance, of the last run.
        activations: the serialized activations of that run, without the eviction at its end.
    """

    inner: WorkflowRunner
    details: WorkflowInstanceDetails | None = None
    activations: list[bytes] = field(default_factory=list)

    def prepare_workflow(self, defn: temporalio.workflow._Definition) -> None:
        """As the inner runner."""
        self.inner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """An instance that writes down its activations."""
        self.details = det
        self.activations.clear()
        return _RecordedInstance(self.inner.create_instance(det), self.activations)


class _RecordedInstance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, activations: list[bytes]) -> None:
        self._inner = inner
        self._activations = activations

    def activate(self, act: WorkflowActivation) -> Any:
        if not any(job.HasField("remove_from_cache") for job in act.jobs):
            self._activations.append(act.SerializeToString())
        return self._inner.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> temporalio.workflow.Info:
        return self._inner.get_info()


async def record_activations(workflows: list[type], runner: WorkflowRunner, history: WorkflowHistory) -> Recording:
    """Replay once and keep what the runner was given."""
    recording = Recording(runner)
    await Replayer(workflows=workflows, workflow_runner=recording).replay_workflow(history)
    return recording
