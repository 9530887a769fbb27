"""What one activation costs on the same history: in Lua, in Python, and with a runner that does nothing.

The history is a run of ACTIVITIES activities in a row and a timer; every activation resolves one and schedules the
next. "whole" is everything between two activations of a Replayer (core, bridge, worker, workflow); "engine" is the
workflow instance alone, from activation message to completion message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from history import WORKFLOW, as_numbered_by_sdk, recorded_history
from idle_runner import IdleRunner
from replays import BareReplays, LaneReplays, Recording, Replays, record_activations
from sdk_workflow import Sequence
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

import fleet
from fleet.registry import App
from fleet.workflow import Origin, WorkflowScripts

ACTIVITIES = 100
REPLAYS = 4
"""Replays in one timed round."""

BUILD = Path(__file__).parent.parent / "build" / "bench"

WHOLE = f"activation, whole ({ACTIVITIES} activities in a row)"
ENGINE = "activation, engine (messages in and out, no worker)"
START = "start of a run: engine, up to its first command"

RunnerAndWorkflows = tuple[WorkflowRunner, list[type]]


def lua(app: App) -> RunnerAndWorkflows:
    """The runner and classes that LuaPlugin gives a Replayer."""
    config = Replayer(workflows=[], plugins=[fleet.LuaPlugin(app)]).config(active_config=True)
    return config["workflow_runner"], list(config["workflows"])


RUNNER = "fleet, SDK's worker"

CONTENDERS: dict[str, Callable[[App], RunnerAndWorkflows]] = {
    RUNNER: lua,
    "Python SDK, sandboxed": lambda app: (SandboxedWorkflowRunner(), [Sequence]),
    "Python SDK, unsandboxed": lambda app: (UnsandboxedWorkflowRunner(), [Sequence]),
    "do-nothing runner": lambda app: (IdleRunner(ACTIVITIES), [Sequence]),
}


Histories = Callable[[str], WorkflowHistory]


@pytest.fixture(scope="module")
def history_for(app: App) -> Histories:
    """The history as a contender can replay it."""
    history = recorded_history(app, ACTIVITIES, BUILD)
    copy = as_numbered_by_sdk(history)
    return lambda contender: history if contender == RUNNER else copy


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


Opened = Replays | LaneReplays | BareReplays


def replaying(measure: Any, runner: asyncio.Runner, contender: str, replays: Opened) -> None:
    runner.run(replays.open())
    operations = REPLAYS * (ACTIVITIES + 2)
    measure(WHOLE, contender, lambda: runner.run(replays.replay(REPLAYS)), operations=operations, rounds=4)
    runner.run(replays.close())


@pytest.mark.parametrize("contender", CONTENDERS)
def test_whole(measure: Any, runner: asyncio.Runner, app: App, history_for: Histories, contender: str) -> None:
    workflow_runner, workflows = CONTENDERS[contender](app)
    history = history_for(contender)
    # Fails here, not in the middle of a measurement, when the commands do not fit.
    activations = len(runner.run(record_activations(workflows, workflow_runner, history)).activations)
    assert activations == ACTIVITIES + 2
    replaying(
        measure, runner, contender, Replays(Replayer(workflows=workflows, workflow_runner=workflow_runner), history)
    )


@pytest.fixture
def uv_runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


def test_whole_on_the_lane(measure: Any, uv_runner: asyncio.Runner, app: App, history_for: Histories) -> None:
    replaying(measure, uv_runner, "fleet", LaneReplays(app, history_for(RUNNER)))


def test_whole_of_the_bare_bridge(measure: Any, uv_runner: asyncio.Runner, history_for: Histories) -> None:
    replaying(measure, uv_runner, "bare bridge", BareReplays(ACTIVITIES, history_for("bare bridge")))


def create(runner: asyncio.Runner, recording: Recording) -> Any:
    """A workflow instance for one run. The SDK's own wants to be made on a running loop, and activated off it."""

    async def on_loop() -> Any:
        assert recording.details is not None
        return recording.inner.create_instance(recording.details)

    return runner.get_loop().run_until_complete(on_loop())


def recorded(app: App, contender: str, history: WorkflowHistory) -> Recording:
    workflow_runner, workflows = CONTENDERS[contender](app)
    return asyncio.run(record_activations(workflows, workflow_runner, history))


@pytest.mark.parametrize("contender", list(CONTENDERS)[:3])
def test_engine(measure: Any, runner: asyncio.Runner, app: App, history_for: Histories, contender: str) -> None:
    recording = recorded(app, contender, history_for(contender))
    messages = [WorkflowActivation.FromString(raw) for raw in recording.activations]

    def setup() -> tuple[tuple[Any], dict[str, Any]]:
        instance = create(runner, recording)
        completion = instance.activate(messages[0])
        assert completion.successful.commands[0].HasField("schedule_activity"), completion
        return (instance,), {}

    def work(instance: Any) -> Any:
        for message in messages[1:]:
            completion = instance.activate(message)
        return completion

    completion = measure(
        ENGINE,
        "fleet" if contender == RUNNER else contender,
        work,
        operations=len(messages) - 1,
        setup=setup,
        rounds=20,
    )
    assert completion.successful.commands[0].HasField("complete_workflow_execution"), completion


def test_native_step(measure: Any, app: App, history_for: Histories) -> None:
    """The core alone: bytes in, bytes out."""
    recording = recorded(app, RUNNER, history_for(RUNNER))
    assert recording.details is not None
    info, first, rest = recording.details.info, recording.activations[0], recording.activations[1:]
    scripts = WorkflowScripts(app)

    def setup() -> tuple[tuple[Any], dict[str, Any]]:
        state = scripts.start(WORKFLOW, info.workflow_id, info.run_id, Origin("bench", "default"))
        state.step(first)
        return (state,), {}

    def work(state: Any) -> None:
        for message in rest:
            state.step(message)

    measure(ENGINE, "of which LuaState.step", work, operations=len(rest), setup=setup, rounds=20)
    scripts.close()


@pytest.mark.parametrize("contender", list(CONTENDERS)[:3])
def test_start_of_a_run(measure: Any, runner: asyncio.Runner, app: App, history_for: Histories, contender: str) -> None:
    recording = recorded(app, contender, history_for(contender))
    first = WorkflowActivation.FromString(recording.activations[0])
    eviction = WorkflowActivation(run_id=first.run_id)
    eviction.jobs.add().remove_from_cache.SetInParent()

    def work() -> None:
        instance = create(runner, recording)
        instance.activate(first)
        instance.activate(eviction)

    measure(START, "fleet" if contender == RUNNER else contender, work, rounds=30)
