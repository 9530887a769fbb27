"""What a worker has in hand, where its supervisor sees it; and runs that took workers down are not run again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import temporalio.workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)

from fleet.supervisor.page import Activating, Quarantine, Slot
from fleet.workflow.runner import task_failure

QUARANTINED_FROM = 2
"""Workers that a run took down before its tasks are failed without running it: once can be chance."""


class Watch:
    """The worker's block of the shared page, kept up to date. Its methods may be called by any thread."""

    def __init__(self, block: Slot, quarantine: Quarantine) -> None:
        self._block = block
        self._quarantine = quarantine
        self._lock = threading.Lock()
        self._in_flight = 0
        self._activations: dict[str, int] = {}
        self._version = -1
        self._refused: frozenset[str] = frozenset()

    def refuses(self, run_id: str) -> bool:
        """Whether tasks of the run are to be failed without running it."""
        version = self._quarantine.version
        if version != self._version:
            counts = self._quarantine.counts()
            self._refused = frozenset(id for id, count in counts.items() if count >= QUARANTINED_FROM)
            self._version = version
        return run_id in self._refused

    @contextmanager
    def activation(self, run_id: str) -> Iterator[None]:
        """An activation of the run, for the length of a `with` block."""
        with self._lock:
            self._activations[run_id] = time.monotonic_ns()
            self._count(1)
            if len(self._activations) == 1:
                self._show_oldest()
        try:
            yield
        finally:
            with self._lock:
                oldest = next(iter(self._activations)) == run_id
                del self._activations[run_id]
                self._count(-1)
                if oldest:
                    self._show_oldest()

    @contextmanager
    def activity(self) -> Iterator[None]:
        """An activity, for the length of a `with` block."""
        with self._lock:
            self._count(1)
        try:
            yield
        finally:
            with self._lock:
                self._count(-1)

    def _count(self, change: int) -> None:
        self._in_flight += change
        self._block.in_flight = self._in_flight
        if change < 0:
            self._block.progress = time.monotonic_ns()

    def _show_oldest(self) -> None:
        oldest = next(iter(self._activations.items()), None)
        self._block.activating = Activating(*oldest) if oldest is not None else None


class ActivityWatch(Interceptor):
    """Tells of activities."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See base class."""
        return _ActivityInbound(next, self._watch)


class _ActivityInbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, watch: Watch) -> None:
        super().__init__(next)
        self._watch = watch

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        with self._watch.activity():
            return await self.next.execute_activity(input)


class WatchedRunner(WorkflowRunner):
    """Tells of activations of the runs of another runner, and fails the tasks of those that are refused."""

    def __init__(self, inner: WorkflowRunner, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    def prepare_workflow(self, defn: temporalio.workflow._Definition) -> None:
        """See base class."""
        self._inner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See base class."""
        return _WatchedInstance(self._inner.create_instance(det), self._watch)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """See base class."""
        self._inner.set_worker_level_failure_exception_types(types)


class _WatchedInstance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        eviction = len(act.jobs) == 1 and act.jobs[0].HasField("remove_from_cache")
        if not eviction and self._watch.refuses(act.run_id):
            return task_failure(
                act.run_id,
                f"run {act.run_id} is in quarantine: its tasks took {QUARANTINED_FROM} workers down\n"
                f"repair the code, then `fleet release {act.run_id}`",
            )
        with self._watch.activation(act.run_id):
            return self._inner.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> temporalio.workflow.Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()
