"""Replays of one history: through temporalio's Replayer, and through a workflow instance alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import temporalio.workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner


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
