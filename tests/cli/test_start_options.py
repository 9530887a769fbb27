"""`fleet run` starts with the options of the entry."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

from fleet_command import CHARGE, INDEX

import fleet
from fleet.worker.dev import embedded_server, serve_embedded
from fleet.worker.follow import Follower, Progress
from fleet.worker.start import start_run


async def test_a_run_has_the_options_of_its_entry(tmp_path: Path) -> None:
    id = f"from-options-{uuid.uuid4().hex[:6]}"
    ids = f"workflow.id: wrong, temporal.workflow.id: {id}"
    options = f"{{{ids}, workflow.execution_timeout: 1m, workflow.memo: {{a: 1}}}}"
    meta = "meta: {temporal: {workflow: {worker: worker}}"
    (tmp_path / "_index.yaml").write_text(INDEX.replace(meta, f"{meta}, options: {options}"))
    (tmp_path / "order.lua").write_text("return { main = function() time.sleep('1s') return 7 end }\n")
    (tmp_path / "charge.lua").write_text(CHARGE)
    app = fleet.load_app(tmp_path)
    async with embedded_server(app) as server, serve_embedded(app, server) as serving:
        handle = await start_run(serving.clients["shop:temporal"], app, app.workflows["shop:order"], [])
        assert handle.id == id
        described = await handle.describe()
        assert await described.memo() == {"a": 1}
        assert described.raw_description.execution_config.workflow_run_timeout.ToTimedelta() <= timedelta(minutes=1)
        seen: list[Progress] = []
        ended = await Follower(handle, seen.append).ended()
        assert ended.result is not None
        assert ended.result.data == b"7"
        assert {progress.status for progress in seen} == {"RUNNING"}
        assert all(progress.task_failure is None for progress in seen)
