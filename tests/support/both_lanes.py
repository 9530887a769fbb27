"""Replays a history on the SDK's public interface and on the fast lane: what they tell the core is the same, byte for
byte. On the lane the run is put to rest after each activation: when that happens to a run depends on the clock, and so
nothing that it says may depend on it."""

from __future__ import annotations

from typing import Any

import temporalio.workflow
from temporalio.bridge.proto.workflow_activation import InitializeWorkflow, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.plugin import SimplePlugin
from temporalio.worker import Replayer, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

import fleet
from fleet.lane import LaneReplayer, serialized
from fleet.registry import App
from fleet.workflow import LuaRun, Origin, WorkflowScripts


async def replay_on_both(app: App, history: WorkflowHistory, origin: Origin) -> None:
    """Raises what does not fit, on the public interface; AssertionError when the lane sees it otherwise."""
    public, error = await _on_public(app, history, origin)
    fast, lane_error = await _on_lane(app, history, origin)
    assert type(lane_error) is type(error), f"on the lane: {lane_error!r}; on the public interface: {error!r}"
    for number, (one, other) in enumerate(zip(fast, public, strict=False)):
        assert one == other, f"completion {number}: {_shown(one)} on the lane, {_shown(other)} on the public interface"
    assert len(fast) == len(public)
    if error is not None:
        raise error


async def _on_public(app: App, history: WorkflowHistory, origin: Origin) -> tuple[list[bytes], Exception | None]:
    noting = _NotingRunner()
    plugins = [fleet.LuaPlugin(app, origin=origin), SimplePlugin("noting", workflow_runner=noting.around)]
    result = await Replayer(workflows=[], plugins=plugins).replay_workflow(history, raise_on_replay_failure=False)
    return noting.completions, result.replay_failure


async def _on_lane(app: App, history: WorkflowHistory, origin: Origin) -> tuple[list[bytes], Exception | None]:
    completions: list[bytes] = []
    entries = {entry.type_name: entry.id for entry in app.workflows.values()}
    scripts = WorkflowScripts(app)

    class NotingRun(LuaRun):
        def activate(self, activation: bytes, is_replaying: bool, jobs: int) -> bytes:
            completion = super().activate(activation, is_replaying, jobs)
            completions.append(_normal(WorkflowActivationCompletion.FromString(completion)))
            if not self.state.stopped:
                self.state.rest()
            return completion

    def start(run_id: str, job: InitializeWorkflow) -> LuaRun:
        return NotingRun(scripts, entries[job.workflow_type], job.workflow_id, run_id, origin)

    replayer = LaneReplayer("tests")
    try:
        return completions, await replayer.replay(history.workflow_id, serialized(history), start)
    finally:
        await replayer.close()
        scripts.close()


def _normal(completion: WorkflowActivationCompletion) -> bytes:
    """In one order of fields and map keys: the SDK's worker writes its messages anew."""
    return completion.SerializeToString(deterministic=True)


def _shown(completion: bytes) -> WorkflowActivationCompletion:
    return WorkflowActivationCompletion.FromString(completion)


class _NotingRunner(WorkflowRunner):
    """Takes notes of the completions of another runner."""

    def __init__(self) -> None:
        self.completions: list[bytes] = []
        self._inner: WorkflowRunner

    def around(self, inner: WorkflowRunner | None) -> WorkflowRunner:
        assert inner is not None
        self._inner = inner
        return self

    def prepare_workflow(self, defn: temporalio.workflow._Definition) -> None:
        self._inner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _NotingInstance(self._inner.create_instance(det), self.completions)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._inner.set_worker_level_failure_exception_types(types)


class _NotingInstance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, completions: list[bytes]) -> None:
        self._inner = inner
        self._completions = completions

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._inner.activate(act)
        if not act.jobs[0].HasField("remove_from_cache"):
            self._completions.append(_normal(completion))
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> temporalio.workflow.Info:
        return self._inner.get_info()
