"""ワークフローの起動, HTTPハンドラから"""

from __future__ import annotations

from typing import Any

import aiohttp
from scenario import Play, Stage

from fleet.worker.serve import ServiceOptions

HANDLER = """
local function handler()
    local req = http.request()
    local order = json.decode(req:body())

    local spawner = process
        .with_context({request_id = req:header("X-Request-ID")})
        :with_options({
            ["temporal.workflow.id"] = "order-" .. order.id,
            ["temporal.workflow.id_conflict_policy"] = "fail",
        })

    local pid, err = spawner:spawn(
        "app:order_workflow",
        "app:worker",
        order
    )

    if err then
        return http.response():status(409):json({error = tostring(err)})
    end

    return http.response():status(202):json({
        workflow_id = tostring(pid),
        status = "started"
    })
end

return { handler = handler }
"""


async def test_a_handler_starts_a_workflow(stage: Stage) -> None:
    stage.workflow(
        "local order = ... process.listen('finish'):receive() return {id = order.id, request = ctx.get('request_id')}",
        "order_workflow",
        modules="ctx",
    )
    stage.function(HANDLER, "create_order", modules="http json process", method="handler", activity=False)
    stage.entries += [
        {"name": "gateway", "kind": "http.service", "addr": "127.0.0.1:0", "lifecycle": {"auto_start": True}},
        {"name": "api", "kind": "http.router", "prefix": "/api", "meta": {"server": "app:gateway"}},
        {
            "name": "orders",
            "kind": "http.endpoint",
            "meta": {"router": "app:api"},
            "func": "app:create_order",
            "method": "POST",
            "path": "/orders",
        },
    ]

    async def scene(play: Play) -> Any:
        (server,) = play.serving.http
        order, headers = {"id": play.unique}, {"X-Request-ID": "req-abc"}
        async with aiohttp.ClientSession(server.url) as session:
            first = await session.post("/api/orders", json=order, headers=headers)
            started = await first.json()
            again = await session.post("/api/orders", json=order, headers=headers)
            refused = await again.json()
        assert started["workflow_id"] == f"{{app:temporal@app:worker|order-{play.unique}}}"
        assert f"order-{play.unique}" in refused["error"]
        await play.handle(f"order-{play.unique}").signal("finish")
        result = (await play.ended(f"order-{play.unique}")).result
        assert result["id"] == play.unique
        return first.status, started["status"], first.content_type, again.status, result["request"]

    expected = (202, "started", "application/json", 409, "req-abc")
    assert await stage.play(scene, services=ServiceOptions(loopback=True)) == expected
