"""Handlers that start workflows: the sample of workflows.md 3, on a real server."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from fleet.registry import load_app
from fleet.worker.dev import embedded_server, serve_embedded

INDEX = """version: "1.0"
namespace: app
entries:
  - {name: temporal, kind: temporal.client, address: "127.0.0.1:1"}
  - {name: worker, kind: temporal.worker, client: "app:temporal", task_queue: orders}
  - name: order_workflow
    kind: workflow.lua
    source: file://order.lua
    modules: [ctx]
    meta: {temporal: {workflow: {worker: worker}}}
  - {name: gateway, kind: http.service, addr: ":0", lifecycle: {auto_start: true, requires: [worker]}}
  - {name: api, kind: http.router, meta: {server: gateway}}
  - {name: handler, kind: function.lua, source: file://handler.lua, method: handler, modules: [http, json, process]}
  - {name: post, kind: http.endpoint, meta: {router: api}, func: handler, method: POST, path: /orders}
"""

ORDER = """
local function main(order)
    process.listen("go"):receive()
    return {id = order.id, request_id = ctx.get("request_id")}
end
return { main = main }
"""

# As the document prints it.
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


async def test_the_handler_of_the_document_starts_a_workflow(tmp_path: Path) -> None:
    for name, text in {"_index.yaml": INDEX, "order.lua": ORDER, "handler.lua": HANDLER}.items():
        (tmp_path / name).write_text(text)
    app = load_app(tmp_path)
    async with (
        embedded_server(app) as server,
        serve_embedded(app, server) as serving,
        aiohttp.ClientSession() as session,
    ):
        url = f"{serving.http[0].url}/orders"
        headers = {"X-Request-ID": "req-7"}
        async with session.post(url, json={"id": "7"}, headers=headers) as response:
            assert (response.status, await response.json()) == (
                202,
                {"workflow_id": "{app:temporal@app:worker|order-7}", "status": "started"},
            )
        async with session.post(url, json={"id": "7"}) as response:
            assert response.status == 409
            assert "order-7" in (await response.json())["error"]
        handle = serving.clients["app:temporal"].get_workflow_handle("order-7")
        await handle.signal("go")
        assert await handle.result() == {"id": "7", "request_id": "req-7"}
