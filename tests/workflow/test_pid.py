"""PIDs as text and in parts (workflows.md 4, decision 29)."""

from __future__ import annotations

from typing import Any

import pytest
from bare_run import BareRun, result


@pytest.mark.parametrize("workflow_id", ["plain", "a|b", "a}b{", "100%", "%7C", "日本 @ x", "{a@b|c}", "a\nb"])
def test_every_workflow_id_has_a_pid(bench: Any, workflow_id: str) -> None:
    bench.workflow("return process.pid()")
    run = BareRun(bench.load())
    job_id = workflow_id.replace("%", "%25").replace("|", "%7C").replace("}", "%7D")
    commands = run.start(workflow_id=workflow_id)
    assert result(commands) == f"{{app:temporal@app:worker|{job_id}}}"
