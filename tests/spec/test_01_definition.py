"""定義, メタデータフィールド"""

from __future__ import annotations

import pytest
from scenario import Stage
from workflow_bench import CLIENT, WORKER

import fleet
from fleet.registry import AppError

INDEX = """
version: "1.0"
namespace: app
entries:
- name: temporal
  kind: temporal.client
  address: localhost:7233
- name: worker
  kind: temporal.worker
  client: app:temporal
  task_queue: {queue}
- name: order_workflow
  kind: workflow.lua
  source: file://order_workflow.lua
  method: main
  modules:
    - funcs
    - time
    - workflow
  meta:
    temporal:
      workflow:
        worker: app:worker
"""


async def test_the_entry_as_printed(stage: Stage) -> None:
    (stage.root / "order_workflow.lua").write_text(
        "local workflow = require('workflow')\n"
        "local function main(order) return {id = order.id, type = workflow.info().workflow_type} end\n"
        "return { main = main }"
    )
    (stage.root / "_index.yaml").write_text(INDEX.format(queue=stage.queue))
    app = fleet.load_app(stage.root)
    assert app.workflows["app:order_workflow"].type_name == "app:order_workflow"
    async with stage.serving(app) as serving:
        handle = await stage.start(serving, {"id": 7}, name="order_workflow")
        outcome = await stage.outcome(handle)
    assert outcome.result == {"id": 7, "type": "app:order_workflow"}
    await stage.replay(app, outcome)


async def test_name_is_the_workflow_type(stage: Stage) -> None:
    stage.workflow(
        "return {type = workflow.info().workflow_type, id = process.id()}",
        modules="workflow",
        workflow={"name": "OrderWorkflow"},
    )
    assert await stage.run_sample() == {"type": "OrderWorkflow", "id": "app:wf"}


async def test_worker_is_required_to_be_served(stage: Stage) -> None:
    """Without a worker the entry is valid and served by nobody; an unknown worker is an error that names the place."""
    stage.workflow("return 1")
    del stage.entries[0]["meta"]["temporal"]["workflow"]["worker"]
    app = stage.load()
    assert app.workflows_of("app:worker") == [] and any("worker" in w.message for w in app.warnings)
    stage.entries[0]["meta"]["temporal"]["workflow"]["worker"] = "app:wroker"
    with pytest.raises(AppError) as caught:
        stage.load()
    assert "app:wroker" in str(caught.value) and "app:worker" in str(caught.value)
    assert "_index.yaml" in str(caught.value)
    assert CLIENT["kind"] == "temporal.client" and WORKER["kind"] == "temporal.worker"
