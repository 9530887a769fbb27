"""Which way a worker runs: on the fast lane, or on the SDK's public interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from temporalio.bridge.proto.activity_task import Start
from temporalio.bridge.proto.workflow_activation import InitializeWorkflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import Interceptor, Worker

from fleet.activity import Running, Task
from fleet.lane import Observer, Run, take_lane
from fleet.registry import App, WorkerEntry
from fleet.workflow import LuaRun, LuaWorkflow, LuaWorkflowRunner, Origin

from .watch import Watch, WatchedRun, WatchedRunner


async def on_lane(
    worker: Worker,
    entry: WorkerEntry,
    app: App,
    runner: LuaWorkflowRunner,
    watch: Watch | None,
    activities: Sequence[Callable[..., Any]],
    make: Callable[[Start, Task], Running],
    observers: Sequence[Observer],
    interceptors: Sequence[Interceptor],
) -> str:
    """Let `worker`, which serves `entry` and has not begun to run, run on the fast lane.

    runner, activities, interceptors: what it was given. watch: is told of each activation. make: makes what runs an
    activity. observers: are told of each activity, as by the interceptors. Returns "", or why it stays on the public
    interface.
    """
    config = worker.config(active_config=True)
    if any(own not in activities for own in config["activities"]):
        return "a plugin of its client adds activities that are not Lua"
    if not all(issubclass(cls, LuaWorkflow) for cls in config["workflows"]):
        return "a plugin of its client adds workflows that are not Lua"
    if not isinstance(config["workflow_runner"], LuaWorkflowRunner | WatchedRunner):
        return "a plugin of its client runs workflows in its own way"
    entries = {workflow.type_name: workflow.id for workflow in app.workflows_of(entry.id)}
    origin = Origin(worker.task_queue, worker.client.namespace)

    def start(run_id: str, job: InitializeWorkflow) -> Run:
        entry_id = entries.get(job.workflow_type)
        if entry_id is None:
            # In the SDK's words: whoever searches for them finds what others wrote.
            raise ApplicationError(
                f"Workflow class {job.workflow_type} is not registered on this worker,"
                f" available workflows: {', '.join(sorted(entries))}",
                type="NotFoundError",
            )
        run = LuaRun(
            runner.scripts,
            entry_id,
            job.workflow_id,
            run_id,
            origin,
            residents=runner.residents,
            evict=runner.evict,
        )
        return run if watch is None else WatchedRun(run_id, run, watch)

    return await take_lane(worker, start, make, observers, interceptors)
