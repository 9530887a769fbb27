"""Runs whose tasks took workers down, as a worker sees them: who is refused, and who turned out to be harmless."""

from __future__ import annotations

import logging

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from fleet.supervisor.page import QUARANTINED_FROM, Quarantine
from fleet.workflow.run import task_failure

log = logging.getLogger("fleet.worker")

_LAST_COMMANDS = {
    "complete_workflow_execution",
    "fail_workflow_execution",
    "continue_as_new_workflow_execution",
    "cancel_workflow_execution",
}


class QuarantineView:
    """A worker's view of the fleet's quarantine (decision 11). Its methods may be called by any thread."""

    def __init__(self, table: Quarantine) -> None:
        self._table = table
        self._version = -1
        self._counts: dict[str, int] = {}
        self._told: set[str] = set()

    def count(self, run_id: str) -> int:
        """How many workers went down in tasks of the run."""
        version = self._table.version
        if version != self._version:
            self._counts = self._table.counts()
            self._version = version
        return self._counts.get(run_id, 0)

    def refusal(self, run_id: str) -> WorkflowActivationCompletion | None:
        """What fails a task of the run without running it; None for a run that may be run."""
        count = self.count(run_id)
        if count < QUARANTINED_FROM:
            return None
        text = (
            f"run {run_id} is in quarantine: {count} workers crashed or hung in its tasks, which are failed now without"
            f" running it; repair the cause, then let it go on with `fleet release {run_id}`"
        )
        if run_id not in self._told:
            self._told.add(run_id)
            log.error("%s", text, extra={"fleet": {"run_id": run_id}})
        return task_failure(run_id, text)

    def trial(self, run_id: str) -> Trial | None:
        """For a suspect: what finds out whether it is harmless. None for all others."""
        return Trial(run_id, self._table) if self.count(run_id) else None


class Trial:
    """Follows a suspect in a worker, and absolves it once its history has gone beyond the task in which another worker
    went down: whichever run was in hand when something else broke a worker is not held against it for ever."""

    def __init__(self, run_id: str, table: Quarantine) -> None:
        self._run_id = run_id
        self._table = table
        self._length = 0
        self._local_activities = 0

    def begins(self, act: WorkflowActivation) -> bool:
        """An activation begins; True when the trial is over."""
        # While local activities are under way core completes workflow tasks by itself, without any progress.
        if not act.is_replaying and self._length and act.history_length > self._length and not self._local_activities:
            self._table.absolve(self._run_id)
            return True
        if not act.is_replaying and not self._length:
            self._length = act.history_length
        self._local_activities -= sum(
            job.HasField("resolve_activity") and job.resolve_activity.is_local for job in act.jobs
        )
        return False

    def ends(self, completion: WorkflowActivationCompletion) -> bool:
        """An activation has ended; True when the trial is over."""
        variants = [command.WhichOneof("variant") for command in completion.successful.commands]
        self._local_activities += variants.count("schedule_local_activity")
        if not self._length or _LAST_COMMANDS.isdisjoint(variants):
            return False
        self._table.absolve(self._run_id)
        return True
