"""What a worker that is killed because it does not go on, or that crashes, leaves behind: its stacks and its reason."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from supervised import ROOT, Start, free_port
from temporalio.client import Client

FLOW = """\
local logger = require("logger")

local function charge(order)
    logger:info(order)
end

local function main(order)
    local steps = coroutine.wrap(function() charge(order) return 1 end)
    local done = steps()
    return done
end
return { main = main }
"""
LUA = [
    "flow.lua:4: in function 'charge'",
    "flow.lua:8: in function <8>",
    "resumed by",
    "flow.lua:9: in function 'main'",
]


@pytest.mark.parametrize(
    ("how", "lane", "reason", "signal"),
    [
        # On the fast lane an activation that does not end holds the event loop.
        ("hang", "auto", "hung", "SIGABRT"),
        ("hang", "public", "stuck", "SIGABRT"),
        ("block", "public", "hung", "SIGABRT"),
        ("crash", "auto", "signal", "SIGSEGV"),
    ],
)
async def test_the_stacks_of_python_and_of_lua_and_the_reason(
    start: Start, app: Path, tmp_path: Path, server_address: str, how: str, lane: str, reason: str, signal: str
) -> None:
    index = app / "_index.yaml"
    index.write_text(index.read_text().replace("modules: [funcs, time]", "modules: [logger]"))
    (app / "flow.lua").write_text(FLOW)
    (tmp_path / "poison").touch()
    environ = {
        "POISON": str(tmp_path / "poison"),
        "PYTHONPATH": f"{Path(__file__).with_name('poison')}:{ROOT}",
    }
    target = f"127.0.0.1:{free_port()}"
    fleet = start(workers="1", lane=lane, listen=target, stuck_after="3s", hung_after="3s", environ=environ)
    await asyncio.to_thread(fleet.wait_ready, 1)
    client = await Client.connect(server_address)
    handle = await client.start_workflow(
        "app:flow", how, id=tmp_path.name, task_queue=tmp_path.name, task_timeout=timedelta(seconds=1)
    )
    await asyncio.to_thread(fleet.until, lambda: fleet.events("died"))
    died = fleet.events("died")[0]
    assert (died["reason"], died["how"], died["run_id"]) == (reason, signal, handle.result_run_id)
    python, _, lua = died["stacks"].partition("\nLua in thread ")
    assert "in do\n" in python and "poison/sitecustomize.py" in python
    assert f"{lua[:18]} (most recent call first):".lower() in python.lower()
    lines = [line.strip() for line in lua.splitlines()]
    assert [line for line in lines if line in LUA] == LUA

    def counted() -> bool:
        page = urlopen(f"http://{target}/metrics").read().decode()
        return f'fleet_worker_restarts_total{{reason="{reason}"}} 0.0' not in page

    await asyncio.to_thread(fleet.until, counted)
