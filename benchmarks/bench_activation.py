"""What one activation costs on the same history: in Lua, in Python, and with a runner that does nothing.

A history is a run of some activities in a row and a timer; every activation resolves one and schedules the next.
"replay" is everything between two activations (core, bridge, worker, workflow); "engine" is the workflow instance
alone, from activation message to completion message.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import uvloop
from history import WORKFLOW, as_numbered_by_sdk, recorded_history
from idle_runner import IdleRunner
from replays import BareReplays, LaneReplays, Recording, Replays, TypeScriptReplayer, record_activations
from sdk_workflow import Sequence
from temporalio.bridge.proto.workflow_activation import RemoveFromCache, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

import fleet
from fleet.lane import serialized
from fleet.registry import App
from fleet.workflow import LuaRun, Origin, WorkflowScripts
from fleet.workflow.envelope import activation_head


@dataclass(frozen=True)
class Size:
    """A history. activities: six events each, with ten around them. replays, rounds, warmup: of one measurement."""

    activities: int
    replays: int
    rounds: int
    warmup: int = 1

    @property
    def activations(self) -> int:
        """The first one, one for each activity, and one for the timer."""
        return self.activities + 2

    @property
    def group(self) -> str:
        """What is compared."""
        return f"replay of {6 * self.activities + 10:,} events, per activation"


SMALL, MIDDLE, LARGE = Size(15, 20, 8), Size(165, 2, 8), Size(1665, 1, 1, warmup=0)
SIZES = pytest.mark.parametrize("size", (SMALL, MIDDLE, LARGE), ids=("100", "1000", "10000"))

BUILD = Path(__file__).parent.parent / "build" / "bench"

ENGINE = "engine: bytes of an activation in, bytes of a completion out"
START = "start of a run: engine, up to its first command"

RunnerAndWorkflows = tuple[WorkflowRunner, list[type]]


def lua(app: App) -> RunnerAndWorkflows:
    """The runner and classes that LuaPlugin gives a Replayer."""
    config = Replayer(workflows=[], plugins=[fleet.LuaPlugin(app)]).config(active_config=True)
    return config["workflow_runner"], list(config["workflows"])


RUNNER = "fleet, SDK's worker"
TYPESCRIPT = "TypeScript SDK"

CONTENDERS: dict[str, Callable[[App, Size], RunnerAndWorkflows]] = {
    RUNNER: lambda app, size: lua(app),
    "Python SDK, sandboxed": lambda app, size: (SandboxedWorkflowRunner(), [Sequence]),
    "Python SDK, unsandboxed": lambda app, size: (UnsandboxedWorkflowRunner(), [Sequence]),
    "do-nothing runner": lambda app, size: (IdleRunner(size.activities), [Sequence]),
}
ENGINES = list(CONTENDERS)[:3]

Histories = Callable[[str, Size], WorkflowHistory]


@pytest.fixture(scope="module")
def history_for(app: App) -> Histories:
    """The history of a size as a contender can replay it."""

    @cache
    def both(size: Size) -> tuple[WorkflowHistory, WorkflowHistory]:
        history = recorded_history(app, size.activities, BUILD)
        return history, as_numbered_by_sdk(history)

    return lambda contender, size: both(size)[0 if contender == RUNNER else 1]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


Opened = Replays | LaneReplays | BareReplays


def measure_replays(measure: Any, size: Size, contender: str, replay: Callable[[int], Any]) -> None:
    measure(
        size.group,
        contender,
        lambda: replay(size.replays),
        operations=size.replays * size.activations,
        rounds=size.rounds,
        warmup=size.warmup,
    )


def replaying(measure: Any, runner: asyncio.Runner, size: Size, contender: str, replays: Opened) -> None:
    runner.run(replays.open())
    measure_replays(measure, size, contender, lambda times: runner.run(replays.replay(times)))
    runner.run(replays.close())


@pytest.fixture
def uv_runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture(scope="module")
def typescript() -> Iterator[TypeScriptReplayer]:
    directory = BUILD / "typescript"
    if shutil.which("node") is None:
        pytest.skip("no TypeScript SDK among the contenders: Node.js is not installed")
    if not (directory / "node_modules" / "@temporalio" / "worker").is_dir():
        pytest.skip("no TypeScript SDK among the contenders: make bench-typescript installs it")
    replayer = TypeScriptReplayer(directory)
    yield replayer
    replayer.close()


# One test for all, so that the contenders of a size run one after the other.
@pytest.mark.parametrize("contender", ("fleet", "bare bridge", *CONTENDERS, TYPESCRIPT))
@SIZES
def test_replay(
    measure: Any,
    runner: asyncio.Runner,
    uv_runner: asyncio.Runner,
    app: App,
    history_for: Histories,
    size: Size,
    contender: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    history = history_for(RUNNER if contender == "fleet" else contender, size)
    if contender == "fleet":
        replaying(measure, uv_runner, size, contender, LaneReplays(app, history))
    elif contender == "bare bridge":
        replaying(measure, uv_runner, size, contender, BareReplays(size.activities, history))
    elif contender == TYPESCRIPT:
        node: TypeScriptReplayer = request.getfixturevalue("typescript")
        file = tmp_path / "history.binpb"
        file.write_bytes(serialized(history))
        measure_replays(measure, size, contender, lambda times: node.replay(times, file))
    else:
        workflow_runner, workflows = CONTENDERS[contender](app, size)
        replayer = Replayer(workflows=workflows, workflow_runner=workflow_runner)
        replaying(measure, runner, size, contender, Replays(replayer, history))


def recorded(app: App, contender: str, history: WorkflowHistory) -> Recording:
    """What the SDK's worker gives a contender in a replay."""
    workflow_runner, workflows = CONTENDERS[contender](app, MIDDLE)
    return asyncio.run(record_activations(workflows, workflow_runner, history))


Apply = Callable[[bytes], bytes]


def instance_of_sdk(runner: asyncio.Runner, recording: Recording) -> Apply:
    """A run of the SDK's. It wants to be made on a running loop, and activated off it."""

    async def on_loop() -> Any:
        assert recording.details is not None
        return recording.inner.create_instance(recording.details)

    instance = runner.get_loop().run_until_complete(on_loop())
    return lambda raw: instance.activate(WorkflowActivation.FromString(raw)).SerializeToString()


def run_of_ours(scripts: WorkflowScripts, recording: Recording) -> tuple[Apply, LuaRun]:
    """A run as the lane has it."""
    assert recording.details is not None
    info = recording.details.info
    run = LuaRun(scripts, WORKFLOW, info.workflow_id, info.run_id, Origin("bench", "default"))

    def apply(raw: bytes) -> bytes:
        _, is_replaying, jobs = activation_head(raw)
        return run.activate(raw, is_replaying, jobs)

    return apply, run


def issued(completion: bytes) -> str:
    """The first command of a serialized completion."""
    message = WorkflowActivationCompletion.FromString(completion)
    return str(message.successful.commands[0].WhichOneof("variant"))


def stepping(measure: Any, contender: str, make: Callable[[], Apply], activations: list[bytes]) -> None:
    first, *rest = activations

    def setup() -> tuple[tuple[Apply], dict[str, Any]]:
        apply = make()
        assert issued(apply(first)) == "schedule_activity"
        return (apply,), {}

    def work(apply: Apply) -> bytes:
        for raw in rest:
            completion = apply(raw)
        return completion

    completion = measure(ENGINE, contender, work, operations=len(rest), setup=setup, rounds=20)
    assert issued(completion) == "complete_workflow_execution"


@pytest.fixture
def scripts(app: App) -> Iterator[WorkflowScripts]:
    scripts = WorkflowScripts(app)
    yield scripts
    scripts.close()


def test_engine(measure: Any, app: App, scripts: WorkflowScripts, history_for: Histories) -> None:
    recording = recorded(app, RUNNER, history_for(RUNNER, MIDDLE))
    stepping(measure, "fleet", lambda: run_of_ours(scripts, recording)[0], recording.activations)


def test_native_step(measure: Any, app: App, scripts: WorkflowScripts, history_for: Histories) -> None:
    """The core alone: parse, run Lua, write."""
    recording = recorded(app, RUNNER, history_for(RUNNER, MIDDLE))
    make = lambda: run_of_ours(scripts, recording)[1].state.step  # noqa: E731
    stepping(measure, "of which LuaState.step", make, recording.activations)


@pytest.mark.parametrize("contender", ENGINES)
def test_engine_of_the_sdk(
    measure: Any, runner: asyncio.Runner, app: App, history_for: Histories, contender: str
) -> None:
    recording = recorded(app, contender, history_for(contender, MIDDLE))
    stepping(measure, contender, lambda: instance_of_sdk(runner, recording), recording.activations)


def test_start_of_a_run(measure: Any, app: App, scripts: WorkflowScripts, history_for: Histories) -> None:
    recording = recorded(app, RUNNER, history_for(RUNNER, MIDDLE))

    def work() -> None:
        apply, run = run_of_ours(scripts, recording)
        apply(recording.activations[0])
        run.leave(RemoveFromCache())

    measure(START, "fleet", work, rounds=30)


@pytest.mark.parametrize("contender", ENGINES[1:])
def test_start_of_a_run_of_the_sdk(
    measure: Any, runner: asyncio.Runner, app: App, history_for: Histories, contender: str
) -> None:
    recording = recorded(app, contender, history_for(contender, MIDDLE))
    first = recording.activations[0]
    eviction = WorkflowActivation(run_id=WorkflowActivation.FromString(first).run_id)
    eviction.jobs.add().remove_from_cache.SetInParent()
    last = eviction.SerializeToString()

    def work() -> None:
        apply = instance_of_sdk(runner, recording)
        apply(first)
        apply(last)

    measure(START, contender, work, rounds=30)
