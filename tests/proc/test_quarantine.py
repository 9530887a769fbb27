"""A run whose tasks take workers down is not run any more, everything else goes on, and it can be let go on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from supervised import ROOT, Start, Supervised
from temporalio.client import Client, WorkflowHandle

FLOW = """\
local function main(rounds)
    local inbox = process.listen("go")
    for _ = 1, rounds do inbox:receive() end
    return rounds
end
return { main = main }
"""


@pytest.fixture
def poison(app: Path, tmp_path: Path) -> Path:
    """While this file exists, signals named crash, hang and block do that to their worker."""
    index = app / "_index.yaml"
    index.write_text(index.read_text().replace("modules: [funcs, time]", "modules: [process]"))
    (app / "flow.lua").write_text(FLOW)
    file = tmp_path / "poison"
    file.touch()
    return file


def environ(poison: Path) -> dict[str, str]:
    return {"POISON": str(poison), "PYTHONPATH": f"{Path(__file__).with_name('poison')}:{ROOT}"}


async def begin(client: Client, queue: str, name: str) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        "app:flow", 2, id=f"{queue}-{name}", task_queue=queue, task_timeout=timedelta(seconds=1)
    )


async def until(fleet: Supervised, condition: Any) -> Any:
    return await asyncio.to_thread(fleet.until, condition)


async def quarantine_message(handle: WorkflowHandle[Any, Any]) -> str:
    """Of a task that was failed without being run. The server keeps it for a task's first attempt only: a signal makes
    a new task, of which the first attempt may again be one that was under way."""
    while True:
        await handle.signal("more")
        async for event in handle.fetch_history_events():
            message: str = event.workflow_task_failed_event_attributes.failure.message
            if "quarantine" in message:
                return message
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("how", ["crash", "hang", "block"])
async def test_the_second_time_a_run_is_quarantined_and_others_go_on(
    start: Start, poison: Path, tmp_path: Path, server_address: str, how: str
) -> None:
    fleet = start(workers="2", stuck_after="3s", hung_after="3s", environ=environ(poison))
    await asyncio.to_thread(fleet.wait_ready, 2)
    assert [worker["lane"] for worker in fleet.status()["workers"]] == ["fast", "fast"]
    client = await Client.connect(server_address)
    bad, *others = await asyncio.gather(*(begin(client, tmp_path.name, str(n)) for n in range(12)))
    run_id = bad.result_run_id
    assert run_id is not None
    await asyncio.gather(*(handle.signal("go") for handle in (bad, *others)))
    await bad.signal(how)
    await until(fleet, lambda: fleet.status()["quarantine"].get(run_id, 0) >= 2)
    await asyncio.gather(*(handle.signal("go") for handle in others))
    assert await asyncio.gather(*(handle.result() for handle in others)) == [2] * 11

    # The task may have reached one more worker before the second one was found.
    await asyncio.to_thread(fleet.wait_ready, 2)
    (event,) = fleet.events("quarantine")
    assert event["run_id"] == run_id and f"fleet release {run_id}" in event["message"]
    deaths = len(fleet.events("died"))
    message = await quarantine_message(bad)
    assert run_id in message and f"`fleet release {run_id}`" in message

    poison.unlink()
    assert fleet.ask("release", run_id=run_id)["ok"]
    await bad.signal("go")
    assert await bad.result() == 2
    assert len(fleet.events("died")) == deaths, "its tasks were failed without being run"
    assert fleet.status()["quarantine"] == {}


async def test_a_run_that_hangs_is_in_quarantine_before_it_has_reached_every_worker(
    start: Start, poison: Path, tmp_path: Path, server_address: str
) -> None:
    fleet = start(workers="3", environ=environ(poison))
    await asyncio.to_thread(fleet.wait_ready, 3)
    client = await Client.connect(server_address)
    bad, *others = await asyncio.gather(*(begin(client, tmp_path.name, str(n)) for n in range(12)))
    await asyncio.gather(*(handle.signal("go") for handle in (bad, *others)))
    await bad.signal("hang")
    await until(fleet, lambda: bad.result_run_id in fleet.status()["quarantine"])
    assert fleet.events("died") == fleet.events("stuck") == [], "long before stuck_after"
    await asyncio.gather(*(handle.signal("go") for handle in others))
    assert await asyncio.gather(*(handle.result() for handle in others)) == [2] * 11, "beside the one that hangs"


async def test_a_run_that_was_in_hand_by_chance_is_forgiven(
    start: Start, poison: Path, tmp_path: Path, server_address: str
) -> None:
    poison.write_text("once")
    fleet = start(workers="1", environ=environ(poison))
    await asyncio.to_thread(fleet.wait_ready, 1)
    client = await Client.connect(server_address)
    handle = await begin(client, tmp_path.name, "unlucky")
    await handle.signal("go")
    await handle.signal("crash")
    await until(fleet, lambda: fleet.status()["suspects"] == [handle.result_run_id])
    # The next task of its history, after the one that was in hand, is the proof.
    await until(fleet, lambda: fleet.status()["serving"] == 1)
    while (await handle.describe()).raw_description.HasField("pending_workflow_task"):
        await asyncio.sleep(0.1)
    await handle.signal("nothing")
    await until(fleet, lambda: fleet.status()["suspects"] == [])
    await handle.signal("go")
    assert await handle.result() == 2
    assert fleet.events("quarantine") == []
