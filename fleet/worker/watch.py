"""What a worker has in hand, where its supervisor sees it; and runs that took workers down are not run again."""

from __future__ import annotations

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

from fleet._core import InHand
from fleet.lane import Run
from fleet.supervisor.page import Quarantine, Slot

from .quarantine import QuarantineView

_PATIENCE = 0.5
"""Seconds that an activation waits for the one before it. With the second that an activation may take this stays below
the SDK's own limit of two."""


class Watch(InHand):
    """The worker's block of the shared page, kept up to date. Its methods may be called by any thread.

    Attributes:
        quarantine: the runs that took workers down.
    """

    def __init__(self, block: Slot, quarantine: Quarantine) -> None:
        super().__init__(block.words, _PATIENCE)
        self.quarantine = QuarantineView(quarantine)


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
