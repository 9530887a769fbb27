"""The settings of the workflow cache reach the workers, and the fleet shows what they do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from supervised import Start
from temporalio.client import Client, WorkflowHandle

from fleet.supervisor.memory import allowed_memory, cache_share

FLOW = """\
local function main()
    local kept = {}
    for i = 1, 32 do kept[i] = string.rep(string.char(64 + i), 16384) end
    local inbox = process.listen("go")
    inbox:receive()
    inbox:receive()
    return #kept[32]
end
return { main = main }
"""


@pytest.fixture
def keepers(app: Path) -> None:
    """Runs of the application hold half a MiB, and end with their second message."""
    index = app / "_index.yaml"
    index.write_text(index.read_text().replace("modules: [funcs, time]", "modules: [process]"))
    (app / "flow.lua").write_text(FLOW)


async def begin(address: str, queue: str, runs: int) -> list[WorkflowHandle[Any, Any]]:
    client = await Client.connect(address)
    starts = (client.start_workflow("app:flow", id=f"{queue}-{n}", task_queue=queue) for n in range(runs))
    handles = await asyncio.gather(*starts)
    await asyncio.gather(*(handle.signal("go") for handle in handles))
    return handles


async def finish(handles: list[WorkflowHandle[Any, Any]]) -> list[Any]:
    await asyncio.gather(*(handle.signal("go") for handle in handles))
    return await asyncio.gather(*(handle.result() for handle in handles))


async def test_the_bytes_of_cached_runs_stay_within_the_setting(
    start: Start, keepers: None, tmp_path: Path, server_address: str
) -> None:
    fleet = start(workers="1", cache_memory="4MiB")
    await asyncio.to_thread(fleet.wait_ready, 1)
    assert fleet.events("start")[0]["cache_bytes"] == 4 << 20
    handles = await begin(server_address, tmp_path.name, 40)

    def settled() -> bool:
        (worker,) = fleet.status()["workers"]
        return "may hold 4.0 MiB" in fleet.text and worker["lua_bytes"] <= 4 << 20

    await asyncio.to_thread(fleet.until, settled)
    assert await finish(handles) == [16384] * 40
    assert fleet.events("died") == []


async def test_the_number_of_cached_runs_stays_within_its_setting(
    start: Start, keepers: None, tmp_path: Path, server_address: str
) -> None:
    fleet = start(workers="1", max_cached_workflows="3")
    await asyncio.to_thread(fleet.wait_ready, 1)
    assert fleet.events("start")[0]["cache_bytes"] == cache_share(1, allowed_memory())
    handles = await begin(server_address, tmp_path.name, 12)
    await asyncio.to_thread(fleet.until, lambda: 0 < fleet.status()["workers"][0]["cached_runs"] <= 3)
    assert await finish(handles) == [16384] * 12
