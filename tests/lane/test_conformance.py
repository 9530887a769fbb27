"""Both lanes hand the core the same completions, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.bridge.worker import Worker

import fleet
from fleet.lane.bridge import Core
from fleet.replay import read_history
from fleet.replay.session import ReplaySession

CASES = sorted(path.parent for path in (Path(__file__).parents[1] / "replay" / "golden").glob("*/history.json"))


@pytest.fixture
def completions(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What either lane hands in, in one order of fields: the SDK's worker writes its messages anew."""
    seen: list[bytes] = []
    public, fast = Worker.complete_workflow_activation, Core.complete

    def note(message: WorkflowActivationCompletion) -> None:
        seen.append(message.SerializeToString(deterministic=True))

    async def publicly(self: Worker, comp: WorkflowActivationCompletion) -> None:
        note(comp)
        await public(self, comp)

    def directly(self: Core, run_id: str, completion: bytes, *more: Any, poll: bool) -> None:
        note(WorkflowActivationCompletion.FromString(completion))
        fast(self, run_id, completion, *more, poll=poll)

    monkeypatch.setattr(Worker, "complete_workflow_activation", publicly)
    monkeypatch.setattr(Core, "complete", directly)
    return seen


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_golden_histories(case: Path, completions: list[bytes]) -> None:
    app = fleet.load_app(case / "app")
    history = read_history(case / "history.json")
    found = {}
    for lane, name in ((False, "runner"), (True, "fast")):
        async with ReplaySession.open(app, lane=lane) as session:
            completions.clear()
            report = await session.replay(history)
            assert (report.status, report.message, report.lane) == ("ok", "", name)
            found[name] = (report.activations, list(completions))
    assert found["fast"] == found["runner"]
    assert found["fast"][0] >= 2
