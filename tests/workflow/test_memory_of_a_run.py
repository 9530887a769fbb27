"""How large the Lua state of a cached run is: bytes of its allocator, which are the same on each machine."""

from __future__ import annotations

from pathlib import Path

from temporalio.bridge.proto.workflow_activation import WorkflowActivation

import fleet
from fleet.workflow import Origin, WorkflowScripts

APP = Path(__file__).parents[2] / "benchmarks" / "app"


def first_activation() -> bytes:
    message = WorkflowActivation(run_id="00000000-0000-0000-0000-000000000001", history_length=3)
    message.timestamp.FromSeconds(1_700_000_000)
    job = message.jobs.add().initialize_workflow
    job.workflow_type, job.workflow_id, job.randomness_seed = "bench:sequence", "memory", 1
    argument = job.arguments.add()
    argument.metadata["encoding"], argument.data = b"json/plain", b"2"
    return message.SerializeToString()


def test_a_run_that_waits_for_an_activity_is_small() -> None:
    """With Python's part, about 2.5 KiB, a waiting run is to take no more than 40 KiB."""
    scripts = WorkflowScripts(fleet.load_app(APP), pool_size=0)
    first = first_activation()
    state = scripts.start("bench:sequence", "memory", "run", Origin("bench", "default"))
    assert b"bench:echo" in state.step(first)
    assert state.memory_used <= 41 * 1024
    assert state.rest() <= 34 * 1024
    state.close()
    scripts.close()
