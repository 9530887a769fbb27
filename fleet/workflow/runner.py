"""Lua workflows for a temporalio Worker or Replayer: one generated class per entry, run on the native core."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import temporalio.workflow
from google.protobuf.message import DecodeError
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import Success, WorkflowActivationCompletion
from temporalio.common import VersioningBehavior
from temporalio.converter import (
    ActivitySerializationContext,
    SerializationContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
    WorkflowSerializationContext,
)
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from fleet.registry import WorkflowEntry

from .envelope import activation_head
from .residents import Evict, Residents
from .run import LuaRun
from .scripts import Issued, Origin, WorkflowScripts

_LAST_JOBS = {"resolve_activity", "resolve_child_workflow_execution", "resolve_signal_external_workflow"}
"""After these no payload of a command comes any more."""


class LuaWorkflow:
    """Base of the generated classes. The SDK wants a class with a run method; only its name and entry are used."""

    entry_id: str

    async def run(self, *args: Any) -> Any:
        """Never called: LuaWorkflowRunner makes the instances."""
        raise NotImplementedError


def workflow_class(entry: WorkflowEntry, versioning: VersioningBehavior = VersioningBehavior.UNSPECIFIED) -> type:
    """A workflow class for an entry, registered under its type name."""

    async def run(self: LuaWorkflow, *args: Any) -> Any:
        raise NotImplementedError

    name = re.sub(r"\W", "_", entry.id)
    run.__qualname__ = f"{name}.run"
    members = {"run": temporalio.workflow.run(run), "entry_id": entry.id, "__module__": __name__}
    cls = type(name, (LuaWorkflow,), members)
    return temporalio.workflow.defn(name=entry.type_name, versioning_behavior=versioning)(cls)


class LuaWorkflowRunner(WorkflowRunner):
    """Runs the generated classes on the native core and leaves all others to the worker's own runner.

    origin: where runs live, for a replay; None takes it from the worker. residents: where cached runs are counted;
    by themselves, without a budget, when None.

    Attributes:
        evict: drops a run from the worker's cache; set once the worker is there, where the SDK offers a way.
    """

    def __init__(
        self,
        scripts: WorkflowScripts,
        inner: WorkflowRunner,
        origin: Origin | None = None,
        *,
        residents: Residents | None = None,
    ) -> None:
        self.scripts = scripts
        self.inner = inner
        self.origin = origin
        self.residents = Residents(0) if residents is None else residents
        self.evict: Evict | None = None

    def prepare_workflow(self, defn: temporalio.workflow._Definition) -> None:
        """Compile the entry now, so that a broken file stops the worker and not a run."""
        if issubclass(defn.cls, LuaWorkflow):
            self.scripts.programs.get(defn.cls.entry_id)
        else:
            self.inner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """An instance for one run."""
        if not issubclass(det.defn.cls, LuaWorkflow):
            return self.inner.create_instance(det)
        origin = self.origin or Origin(det.info.task_queue, det.info.namespace)
        return LuaWorkflowInstance(
            self.scripts, det.defn.cls.entry_id, det.info, origin, residents=self.residents, evict=self.evict
        )

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """Lua workflows raise no Python exceptions; the inner runner's may."""
        self.inner.set_worker_level_failure_exception_types(types)


class LuaWorkflowInstance(WorkflowInstance):
    """One run: activation bytes in, completion bytes out."""

    def __init__(
        self,
        scripts: WorkflowScripts,
        entry_id: str,
        info: temporalio.workflow.Info,
        origin: Origin,
        issued: Issued | None = None,
        *,
        residents: Residents | None = None,
        evict: Evict | None = None,
    ) -> None:
        self._info = info
        self._task_queue = origin.task_queue
        self._run = LuaRun(
            scripts, entry_id, info.workflow_id, info.run_id, origin, issued, residents=residents, evict=evict
        )
        # By sequence number, of which no two commands of a run have the same.
        self._owners: dict[int, SerializationContext] = {}

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """Apply an activation. Never raises: what goes wrong fails the workflow task, with the Lua traceback."""
        if len(act.jobs) == 1 and act.jobs[0].HasField("remove_from_cache"):
            self._run.leave(act.jobs[0].remove_from_cache)
            return WorkflowActivationCompletion(run_id=act.run_id, successful=Success())
        activation = act.SerializeToString()
        _, is_replaying, jobs = activation_head(activation)
        encoded = self._run.activate(activation, is_replaying, jobs)
        try:
            completion = WorkflowActivationCompletion.FromString(encoded)
        except DecodeError:
            completion = WorkflowActivationCompletion.FromString(self._run.refused())
        self._follow_owners(act, completion)
        return completion

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        """What payload codecs are told: the activity, the child or the signalled workflow that a payload belongs to."""
        owner = self._owners.get(command_info.command_seq) if command_info is not None else None
        return owner or self._workflow(self._info.namespace, self._info.workflow_id)

    @staticmethod
    def _workflow(namespace: str, workflow_id: str) -> SerializationContext:
        return WorkflowSerializationContext(namespace=namespace, workflow_id=workflow_id)

    def _follow_owners(self, act: WorkflowActivation, completion: WorkflowActivationCompletion) -> None:
        """Keep what the commands under way belong to."""
        for job in act.jobs:
            kind = job.WhichOneof("variant")
            if kind in _LAST_JOBS:
                self._owners.pop(getattr(job, kind).seq, None)
        for command in completion.successful.commands:
            variant = command.WhichOneof("variant")
            if variant == "schedule_activity" or variant == "schedule_local_activity":
                scheduled: Any = getattr(command, variant)
                is_local = variant == "schedule_local_activity"
                self._owners[scheduled.seq] = ActivitySerializationContext(
                    namespace=self._info.namespace,
                    workflow_id=self._info.workflow_id,
                    workflow_type=self._info.workflow_type,
                    activity_type=scheduled.activity_type,
                    activity_id=scheduled.activity_id,
                    activity_task_queue=self._task_queue if is_local else scheduled.task_queue,
                    is_local=is_local,
                )
            elif variant == "start_child_workflow_execution":
                child = command.start_child_workflow_execution
                self._owners[child.seq] = self._workflow(child.namespace, child.workflow_id)
            elif variant == "signal_external_workflow_execution":
                signal = command.signal_external_workflow_execution
                target = signal.workflow_execution
                self._owners[signal.seq] = self._workflow(target.namespace, target.workflow_id)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        """Large payloads are stored as the workflow's own."""
        return StorageDriverStoreContext(
            target=StorageDriverWorkflowInfo(
                id=self._info.workflow_id,
                run_id=self._info.run_id,
                type=self._info.workflow_type,
                namespace=self._info.namespace,
            )
        )

    def get_info(self) -> temporalio.workflow.Info:
        """The SDK's info of this run."""
        return self._info
