"""What one cached workflow run takes of a worker's memory, without the Temporal core's part. Usage: make bench-memory.

The run waits for the activity of `bench:sequence`, its usual modules loaded. Each contender is a process of its own and
makes RUNS of them from the same activation; what its resident memory grows by, divided by their number, is the figure.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from history import as_numbered_by_sdk, recorded_history
from replays import Recording, record_activations
from sdk_workflow import Sequence
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

import fleet
from fleet.cli.exit import leave
from fleet.registry import App
from fleet.workflow import Origin, WorkflowScripts
from fleet.workflow.run import LuaRun

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench"
RESULT = HERE.parent / "build" / "memory.json"

RUNS = {"fleet": 2000, "fleet, just used": 2000, "Python SDK, unsandboxed": 2000, "Python SDK, sandboxed": 200}
"""Contenders, and how many runs of each: the sandbox takes megabytes for one."""

ACTIVITIES = 2


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmRSS")


def of_sdk(runner: WorkflowRunner, recording: Recording) -> Callable[[], Any]:
    """Makes runs of the SDK's, as its worker does: on a running loop, and activated off it."""
    loop = asyncio.new_event_loop()
    first = WorkflowActivation.FromString(recording.activations[0])

    async def create() -> Any:
        assert recording.details is not None
        return runner.create_instance(recording.details)

    def make() -> Any:
        instance = loop.run_until_complete(create())
        assert instance.activate(first).successful.commands
        return instance

    return make


def of_fleet(app: App, recording: Recording, at_rest: bool) -> Callable[[], Any]:
    """Makes runs as the fast lane does. at_rest: as they are after two seconds without work."""
    assert recording.details is not None
    info, scripts = recording.details.info, WorkflowScripts(app)

    def make() -> Any:
        run = LuaRun(scripts, info.workflow_type, info.workflow_id, info.run_id, Origin("bench", "default"))
        assert run.activate(recording.activations[0], False, 0)
        if at_rest:
            run.state.rest()
        return run

    return make


def bytes_per_run(contender: str) -> float:
    """Of one contender, in this process."""
    app = fleet.load_app(HERE / "app")
    history = recorded_history(app, ACTIVITIES, BUILD)
    if contender.startswith("fleet"):
        config = Replayer(workflows=[], plugins=[fleet.LuaPlugin(app)]).config(active_config=True)
        runner, workflows = config["workflow_runner"], list(config["workflows"])
    else:
        sandboxed = contender.endswith(", sandboxed")
        runner = SandboxedWorkflowRunner() if sandboxed else UnsandboxedWorkflowRunner()
        workflows, history = [Sequence], as_numbered_by_sdk(history)
    recording = asyncio.run(record_activations(workflows, runner, history))
    if contender.startswith("fleet"):
        make = of_fleet(app, recording, contender == "fleet")
    else:
        make = of_sdk(runner, recording)
    kept = [make() for _ in range(20)]
    before = resident()
    kept += [make() for _ in range(RUNS[contender])]
    return (resident() - before) / RUNS[contender]


def main() -> None:
    """Measure each contender in a process of its own, print, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=RUNS, help="measure one contender, here, and print its bytes")
    only = parser.parse_args().only
    if only is not None:
        print(bytes_per_run(only), flush=True)
        leave(0)
    found = {}
    for contender in RUNS:
        command = [sys.executable, __file__, "--only", contender]
        found[contender] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{'one cached run':<26}{'KiB':>9}{'ratio':>8}")
    for contender, size in found.items():
        print(f"{contender:<26}{size / 1024:>9.1f}{size / found['fleet']:>8.1f}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"bytes": found, "runs": RUNS}, indent=1))


if __name__ == "__main__":
    main()
