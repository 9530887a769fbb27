"""The number of worker processes follows the load, when it is left to the fleet."""

from __future__ import annotations

import asyncio
from pathlib import Path

from supervised import Start
from temporalio.client import Client

# Computes without waiting: a worker is busy with a few of them.
APPEND = """\
local function main(order)
    local sum = 0
    for n = 1, 20000000 do sum = sum + n % 7 end
    return order.step
end
return { main = main }
"""


async def test_one_more_under_load_and_one_less_after_silence_within_bounds(
    start: Start, app: Path, tmp_path: Path, server_address: str
) -> None:
    index = app / "_index.yaml"
    # What one worker may take is little: a machine that is busy elsewhere gives it no CPU to be busy with.
    few = 'client: "app:temporal", worker_options: {max_concurrent_activity_execution_size: 2},'
    index.write_text(index.read_text().replace('client: "app:temporal",', few))
    (app / "append.lua").write_text(APPEND)
    fleet = start(workers="1", scaling_workers="1-2", scaling_down_after="3s")
    await asyncio.to_thread(fleet.wait_ready, 1)
    client = await Client.connect(server_address)
    order = {"steps": 1000}
    runs = [
        await client.start_workflow("app:flow", order, id=f"{tmp_path.name}-{n}", task_queue=tmp_path.name)
        for n in range(20)
    ]
    await asyncio.to_thread(fleet.wait_ready, 2)
    first = fleet.status()["workers"][0]["pid"]
    for run in runs:
        await run.terminate()
    await asyncio.to_thread(fleet.wait_ready, 1)
    up, down = fleet.events("scale")
    assert (up["workers"], down["workers"]) == (2, 1)
    assert "2 workers instead of 1: CPU " in up["message"]
    assert "1 workers instead of 2: CPU " in down["message"] and "for 3 s" in down["message"]
    (ended,) = await asyncio.to_thread(fleet.until, lambda: fleet.events("ended"))
    assert (ended["slot"], ended["reason"], ended["how"]) == (1, "scale", "exit code 0")
    assert fleet.pids() == [first]
