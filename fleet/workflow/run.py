"""One workflow run on the native core: activation bytes in, completion bytes out, whoever polls."""

from __future__ import annotations

import logging
import time

from google.protobuf.message import DecodeError
from temporalio.bridge.proto.workflow_activation import RemoveFromCache, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from fleet import _core
from fleet.metrics.work import EVICTIONS, MESSAGES, count_activation

from .envelope import ACTIVITY_RESULT, LOCAL_ACTIVITY, SIGNAL, completion_head
from .residents import Evict, Residents
from .scripts import Issued, Origin, WorkflowScripts

logger = logging.getLogger("fleet.workflow")

_SIGNALLED = MESSAGES.labels("workflow", "delivered")


class LuaRun:
    """The Lua state of one run, with what is counted and logged of it.

    residents: where it is counted among the cached runs; by itself when None. evict: drops it from the worker's cache.

    Attributes:
        state: the Lua state.
    """

    __slots__ = (
        "_entry_id",
        "_local_activities",
        "_resident",
        "_residents",
        "_run_id",
        "_seconds",
        "_workflow_id",
        "state",
    )

    def __init__(
        self,
        scripts: WorkflowScripts,
        entry_id: str,
        workflow_id: str,
        run_id: str,
        origin: Origin,
        issued: Issued | None = None,
        *,
        residents: Residents | None = None,
        evict: Evict | None = None,
    ) -> None:
        """Raises ScriptProblem when a file does not compile."""
        self._entry_id = entry_id
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._seconds = scripts.limits.seconds
        self.state = scripts.start(entry_id, workflow_id, run_id, origin, issued)
        self._local_activities = 0
        self._residents = Residents(0) if residents is None else residents
        self._resident = self._residents.admit(run_id, evict, self.state.rest)

    def activate(self, activation: bytes, is_replaying: bool, jobs: int) -> bytes:
        """Apply a serialized WorkflowActivation, and return the serialized completion. Never raises: what goes wrong
        fails the workflow task, with the Lua traceback.

        is_replaying, jobs: of its activation_head.
        """
        self._residents.begin(self._resident)
        began = time.perf_counter()
        try:
            completion: bytes = self.state.step(activation, self._seconds)
        except (_core.LuaViolation, _core.LuaFault) as error:
            completion = task_failure(self._run_id, str(error)).SerializeToString()
            result = "violation" if isinstance(error, _core.LuaViolation) else "fault"
        else:
            result = ""
        seconds = time.perf_counter() - began
        failed, commands = completion_head(completion)
        count_activation(
            result or ("failed" if failed else "completed"), seconds, is_replaying, len(activation), len(completion)
        )
        if jobs & SIGNAL and not is_replaying:
            message = WorkflowActivation.FromString(activation)
            _SIGNALLED.add(sum(job.HasField("signal_workflow") for job in message.jobs))
        if self._local_activities and jobs & ACTIVITY_RESULT:
            message = WorkflowActivation.FromString(activation)
            self._local_activities -= sum(job.resolve_activity.is_local for job in message.jobs)
        if failed or commands & LOCAL_ACTIVITY:
            completion = self._examined(completion)
        self._residents.end(
            self._resident,
            self.state.memory_used,
            local_activities=self._local_activities > 0,
            stopped=self.state.stopped,
        )
        return completion

    def refused(self) -> bytes:
        """The serialized completion that stands in for one that is no valid protobuf message: Lua strings are bytes,
        names are UTF-8."""
        report = "the commands of this task hold a name that is not UTF-8"
        completion = task_failure(self._run_id, report)
        self.task_failed(completion)
        return bytes(completion.SerializeToString())

    def leave(self, eviction: RemoveFromCache) -> None:
        """The run leaves the cache: its state is freed."""
        self.state.close()
        reason = RemoveFromCache.EvictionReason.Name(eviction.reason).lower()
        EVICTIONS.labels(self._residents.remove(self._resident, reason)).add()

    def _examined(self, completion: bytes) -> bytes:
        try:
            message = WorkflowActivationCompletion.FromString(completion)
        except DecodeError:
            return self.refused()
        commands = message.successful.commands
        self._local_activities += sum(command.HasField("schedule_local_activity") for command in commands)
        if message.HasField("failed"):
            self.task_failed(message)
        return completion

    def task_failed(self, completion: WorkflowActivationCompletion) -> None:
        """Called with each completion that fails its task; says so in the log."""
        failure = completion.failed.failure
        logger.warning(
            "Workflow task failed: %s (workflow %s, run %s, %s)\n%s",
            failure.message,
            self._workflow_id,
            self._run_id,
            self._entry_id,
            failure.stack_trace,
            extra={
                "fleet": {"workflow_id": self._workflow_id, "run_id": self._run_id, "entry": self._entry_id},
            },
        )


def task_failure(run_id: str, report: str) -> WorkflowActivationCompletion:
    """A completion that fails the workflow task: `report` is a message with the traceback below it."""
    completion = WorkflowActivationCompletion(run_id=run_id)
    failure = completion.failed.failure
    failure.message, _, failure.stack_trace = report.partition("\n")
    failure.source = "lua-fleet"
    failure.application_failure_info.type = "TASK_FAILED"
    return completion
