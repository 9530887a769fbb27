"""Histories recorded on an embedded server, and applications that differ from the one that was recorded."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

import fleet
from fleet.registry import App
from fleet.replay.session import ReplayReport
from fleet.worker.dev import embedded_server, serve_embedded

INDEX = """\
version: "1.0"
namespace: shop
entries:
  - {name: temporal, kind: temporal.client, address: "127.0.0.1:1"}
  - {name: worker, kind: temporal.worker, client: "shop:temporal", task_queue: shop-queue}
  - name: order
    kind: workflow.lua
    source: file://order.lua
    modules: [funcs, time, workflow]
    meta: {temporal: {workflow: {worker: worker, name: OrderType}}}
  - name: charge
    kind: function.lua
    source: file://charge.lua
    method: main
    meta: {temporal: {activity: {worker: worker}}}
  - name: quick
    kind: function.lua
    source: file://charge.lua
    method: main
    meta: {temporal: {activity: {worker: worker, local: true}}}
"""

ORDER = """\
local function main(order)
    local version = workflow.version("tax", 1, 2)
    local charge = funcs.call("shop:charge", order)
    local tax = funcs.call("shop:quick", order)
    time.sleep("20ms")
    return {id = order.id, queue = workflow.info().task_queue, version = version}
end
return { main = main }
"""

CHARGE = "return { main = function(order) return {amount = order.amount} end }\n"


def write_app(root: Path, order: str, index: str = INDEX) -> App:
    """An application with this workflow."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in (("_index.yaml", index), ("order.lua", order), ("charge.lua", CHARGE)):
        (root / name).write_text(text)
    return fleet.load_app(root)


@dataclass
class Recorded:
    """A recorded run: its history, and the file that the `temporal` CLI exported."""

    history: WorkflowHistory
    exported: Path


async def record(home: Path) -> Recorded:
    app = write_app(home / "app", ORDER)
    async with embedded_server(app) as server, serve_embedded(app, server) as serving:
        client = serving.clients["shop:temporal"]
        id = f"order-{uuid.uuid4().hex[:8]}"
        arguments: dict[str, Any] = {"id": "1", "amount": 3}
        handle = await client.start_workflow("OrderType", arguments, id=id, task_queue="shop-queue")
        assert (await handle.result())["queue"] == "shop-queue"
        exported = home / "exported.json"
        with exported.open("wb") as file:
            command = [server.binary, "workflow", "show", "--workflow-id", id, "--output", "json"]
            await asyncio.to_thread(subprocess.run, [*command, "--address", server.address], stdout=file, check=True)
        return Recorded(await handle.fetch_history(), exported)


Replay = Callable[..., Awaitable[ReplayReport]]
