"""Histories that earlier versions recorded replay on this one (golden/README.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

import fleet
from fleet.workflow import Origin
from fleet.workflow.run import LuaRun

CASES = sorted(path.parent for path in (Path(__file__).parent / "golden").glob("*/history.json"))


def test_there_are_cases() -> None:
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_golden_history_replays(case: Path) -> None:
    app = fleet.load_app(case / "app")
    history = WorkflowHistory.from_json(case.name, (case / "history.json").read_text())
    started = history.events[0].workflow_execution_started_event_attributes
    plugin = fleet.LuaPlugin(app, origin=Origin(started.task_queue.name, "default"))
    await Replayer(workflows=[], plugins=[plugin]).replay_workflow(history)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_run_that_rests_between_its_tasks_goes_on_alike(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    activate = LuaRun.activate

    def rested(run: LuaRun, activation: bytes, is_replaying: bool, jobs: int) -> bytes:
        completion = activate(run, activation, is_replaying, jobs)
        if not run.state.stopped:
            before = run.state.memory_used
            assert run.state.rest() <= before
        return completion

    monkeypatch.setattr(LuaRun, "activate", rested)
    await test_golden_history_replays(case)
