"""What a worker has in hand, where its supervisor sees it; and runs that took workers down are not run again."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import temporalio.workflow
from google.protobuf.message import DecodeError
from temporalio.bridge.proto.workflow_activation import RemoveFromCache, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import (
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)

from fleet.lane import Run
from fleet.supervisor.page import Activating, Quarantine, Slot

from .quarantine import QuarantineView

_PATIENCE = 0.5
"""Seconds that an activation waits for the one before it. With the second that an activation may take this stays below
the SDK's own limit of two."""

_OVERDUE = 1_500_000_000
"""Nanoseconds after which the activation that has the turn will not give it back soon: it has not ended in its time."""


class Watch:
    """The worker's block of the shared page, kept up to date. Its methods may be called by any thread.

    Attributes:
        quarantine: the runs that took workers down.
    """

    def __init__(self, block: Slot, quarantine: Quarantine) -> None:
        self.quarantine = QuarantineView(quarantine)
        self._block = block
        self._lock = threading.Lock()
        self._in_flight = 0
        self._turn = threading.Lock()
        self._holder: Activating | None = None
        self._beside: dict[str, Activating] = {}

    def begin(self, run_id: str) -> bool:
        """An activation of the run begins; returns whether it has the turn, for `end`.

        One after the other, so that the page shows the one that runs when the process dies, and no innocent run is
        taken for its cause. A worker has one CPU: nothing is lost. Only when one does not end do others run beside it.
        """
        turn = self._turn.acquire(blocking=False)
        if not turn:
            holder = self._holder
            overdue = holder is not None and time.monotonic_ns() - holder.since > _OVERDUE
            turn = not overdue and self._turn.acquire(timeout=_PATIENCE)
        activating = Activating(run_id, time.monotonic_ns())
        with self._lock:
            self._count(1)
            if turn:
                self._block.activating = self._holder = activating
            else:
                self._beside[run_id] = activating
        return turn

    def end(self, run_id: str, turn: bool) -> None:
        """An activation has ended."""
        with self._lock:
            if turn:
                self._holder = None
            else:
                del self._beside[run_id]
            if self._holder is None:
                # One that ran beside and does not end has to be seen at some time.
                self._block.activating = next(iter(self._beside.values()), None) if self._beside else None
            self._count(-1)
        if turn:
            self._turn.release()

    def activity_begins(self) -> None:
        """See Observer."""
        with self._lock:
            self._count(1)

    def activity_ended(self, error: BaseException | None, is_local: bool) -> None:
        """See Observer."""
        with self._lock:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._in_flight += change
        self._block.in_flight = self._in_flight
        if change < 0:
            self._block.progress = time.monotonic_ns()


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
        self._trial = watch.quarantine.trial(inner.get_info().run_id)

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if not (len(act.jobs) == 1 and act.jobs[0].HasField("remove_from_cache")):
            refusal = self._watch.quarantine.refusal(act.run_id)
            if refusal is not None:
                return refusal
        if self._trial is not None and self._trial.begins(act):
            self._trial = None
        turn = self._watch.begin(act.run_id)
        try:
            completion = self._inner.activate(act)
        finally:
            self._watch.end(act.run_id, turn)
        if self._trial is not None and self._trial.ends(completion):
            self._trial = None
        return completion

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> temporalio.workflow.Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


class WatchedRun:
    """Tells of activations of a run on the lane, and fails its tasks if it is refused."""

    def __init__(self, run_id: str, inner: Run, watch: Watch) -> None:
        self._run_id = run_id
        self._inner = inner
        self._watch = watch
        self._trial = watch.quarantine.trial(run_id)

    def activate(self, activation: bytes, is_replaying: bool, jobs: int) -> bytes:
        """Apply an activation."""
        refusal = self._watch.quarantine.refusal(self._run_id)
        if refusal is not None:
            return refusal.SerializeToString()
        if self._trial is not None and self._trial.begins(WorkflowActivation.FromString(activation)):
            self._trial = None
        turn = self._watch.begin(self._run_id)
        try:
            completion = self._inner.activate(activation, is_replaying, jobs)
        finally:
            self._watch.end(self._run_id, turn)
        if self._trial is not None:
            with suppress(DecodeError):  # what is no message is refused next
                if self._trial.ends(WorkflowActivationCompletion.FromString(completion)):
                    self._trial = None
        return completion

    def refused(self) -> bytes:
        """See Run."""
        return self._inner.refused()

    def leave(self, eviction: RemoveFromCache) -> None:
        """See Run."""
        turn = self._watch.begin(self._run_id)
        try:
            self._inner.leave(eviction)
        finally:
            self._watch.end(self._run_id, turn)
