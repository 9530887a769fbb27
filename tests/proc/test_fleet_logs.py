"""Whatever a fleet logs of a run says in fields of its own which worker, workflow and run it was."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from supervised import Start
from temporalio.client import Client

FLOW = """\
local logger = require("logger")
local function main()
    logger:warn("a word of the script")
    funcs.call("app:append", {})
    return io.open("nothing")
end
return { main = main }
"""
APPEND = """\
local errors = require("errors")
local function main()
    return nil, errors.new{kind = errors.INVALID, retryable = false, message = "a word of the activity"}
end
return { main = main }
"""


async def test_lines_name_worker_workflow_and_run(start: Start, app: Path, tmp_path: Path, server_address: str) -> None:
    index = app / "_index.yaml"
    text = index.read_text().replace("modules: [funcs, time]", "modules: [funcs, logger]")
    index.write_text(text.replace("modules: [time]", "modules: [errors]"))
    (app / "flow.lua").write_text(FLOW)
    (app / "append.lua").write_text(APPEND)
    fleet = start(workers="1")
    await asyncio.to_thread(fleet.wait_ready, 1)
    client = await Client.connect(server_address)
    run = await client.start_workflow("app:flow", id=tmp_path.name, task_queue=tmp_path.name)

    def lines(words: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in fleet.text.splitlines() if line.startswith("{")]
        return [line for line in found if words in line["message"] + line.get("error", "")]

    for words, entry in (
        ("a word of the script", "app:flow"),
        ("a word of the activity", "app:append"),
        ("Workflow task failed", "app:flow"),
    ):
        line = (await asyncio.to_thread(fleet.until, lambda words=words: lines(words)))[0]
        expected = (0, fleet.pids()[0], tmp_path.name, run.result_run_id, entry)
        assert tuple(line.get(name) for name in ("worker", "pid", "workflow_id", "run_id", "entry")) == expected, words
    await run.terminate()
