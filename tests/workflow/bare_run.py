"""A run without a server: activations made by hand go in, completions come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from fleet.registry import App
from fleet.workflow import Limits, LuaWorkflowInstance, Origin, WorkflowScripts

START = 1_700_000_000


def encoded(value: Any) -> Payload:
    """A JSON payload."""
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


def decoded(payload: Payload) -> Any:
    """The value of a JSON payload; None of an empty one."""
    return json.loads(payload.data) if payload.metadata["encoding"] == b"json/plain" else None


class TaskFailed(AssertionError):
    """The engine failed the workflow task; `failure` is what the server would get."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message + "\n" + failure.stack_trace)
        self.failure = failure


class BareRun:
    """One run of the application's workflow `name`; each `activate` is one workflow task."""

    def __init__(
        self,
        app: App,
        name: str = "wf",
        *,
        scripts: WorkflowScripts | None = None,
        limits: Limits | None = None,
        seed: int = 7,
    ) -> None:
        self.scripts = scripts or WorkflowScripts(app, limits or Limits())
        self.seed = seed
        self.now = START
        info: Any = SimpleNamespace(
            workflow_id="wf-1", run_id="run-1", namespace="default", workflow_type=f"app:{name}"
        )
        self.instance = LuaWorkflowInstance(self.scripts, f"app:{name}", info, Origin("q", "default"))

    def start(
        self,
        *args: Any,
        replaying: bool = False,
        payloads: list[Payload] | None = None,
        headers: dict[str, Payload] | None = None,
        jobs: tuple[WorkflowActivationJob, ...] = (),
        workflow_id: str = "wf-1",
    ) -> list[WorkflowCommand]:
        """The first activation; its commands."""
        job = WorkflowActivationJob()
        job.initialize_workflow.workflow_type = self.instance.get_info().workflow_type
        job.initialize_workflow.workflow_id = workflow_id
        job.initialize_workflow.randomness_seed = self.seed
        job.initialize_workflow.attempt = 1
        job.initialize_workflow.arguments.extend(payloads or [encoded(arg) for arg in args])
        for name, payload in (headers or {}).items():
            job.initialize_workflow.headers[name].CopyFrom(payload)
        return self.activate(*jobs, job, replaying=replaying)

    def activate(self, *jobs: WorkflowActivationJob, replaying: bool = False) -> list[WorkflowCommand]:
        """One workflow task, a second after the last; its commands. Raises TaskFailed."""
        activation = WorkflowActivation(run_id="run-1", is_replaying=replaying, jobs=jobs, history_length=3)
        activation.timestamp.seconds = self.now
        self.now += 1
        completion: WorkflowActivationCompletion = self.instance.activate(activation)
        if completion.HasField("failed"):
            raise TaskFailed(completion.failed.failure)
        return list(completion.successful.commands)

    def fire(self, seq: int, **options: Any) -> list[WorkflowCommand]:
        """A timer fires."""
        job = WorkflowActivationJob()
        job.fire_timer.seq = seq
        return self.activate(job, **options)

    def resolve(
        self, seq: int, value: Any = None, *, change: Callable[[Any], None] | None = None, **options: Any
    ) -> list[WorkflowCommand]:
        """An activity ends with `value`, or as `change` makes its result."""
        return self.activate(resolution(seq, value, change), **options)

    def close(self) -> None:
        """Evict the run."""
        self.instance.activate(WorkflowActivation(run_id="run-1", jobs=[eviction()]))


def resolution(seq: int, value: Any = None, change: Callable[[Any], None] | None = None) -> WorkflowActivationJob:
    """The job that says how an activity ended."""
    job = WorkflowActivationJob()
    job.resolve_activity.seq = seq
    if change is not None:
        change(job.resolve_activity.result)
    else:
        job.resolve_activity.result.completed.result.CopyFrom(encoded(value))
    return job


def eviction() -> WorkflowActivationJob:
    """The job that drops a run from the cache."""
    job = WorkflowActivationJob()
    job.remove_from_cache.message = "test"
    return job


def variants(commands: list[WorkflowCommand]) -> list[str | None]:
    """The kinds of the commands, in order."""
    return [command.WhichOneof("variant") for command in commands]


def result(commands: list[WorkflowCommand]) -> Any:
    """The result of the run that the last command completes."""
    assert commands and commands[-1].HasField("complete_workflow_execution"), commands
    return decoded(commands[-1].complete_workflow_execution.result)
