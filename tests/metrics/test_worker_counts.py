"""What a worker counts while it serves an application from a real server, and the SDK's metrics beside it."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from prometheus_server import check_page, samples
from temporalio.runtime import Runtime, TelemetryConfig

from fleet.metrics import work
from fleet.metrics.exposition import Exposition
from fleet.registry import App, load_app
from fleet.server.ports import free_port
from fleet.worker.client import connect
from fleet.worker.serve import ServiceOptions, serve
from fleet.worker.telemetry import SdkMetrics, follow

FILES = {
    "order": """
        local funcs, process = require("funcs"), require("process")
        local function main()
            local message = process.inbox():receive()
            local ok = funcs.call("app:pay", message:payload():data())
            local _, err = funcs.call("app:refuse")
            return {paid = ok, refused = tostring(err)}
        end
        return {main = main}""",
    "endless": "return {main = function() while true do end end}",
    "pay": "return {main = function(sum) return sum end}",
    "refuse": """
        local errors = require("errors")
        return {main = function() error(errors.new{message = "no", kind = errors.INVALID, retryable = false}) end}""",
    "page": """
        local http = require("http")
        return {main = function() http.response():status(200):text("here") end}""",
}


def application(root: Path, port: int) -> App:
    def lua(name: str, kind: str, **more: object) -> dict[str, object]:
        (root / f"{name}.lua").write_text(FILES[name])
        modules = ["funcs", "errors", "http"] if kind == "function.lua" else ["funcs"]
        return {
            "name": name,
            "kind": kind,
            "source": f"file://{name}.lua",
            "method": "main",
            "modules": modules,
            **more,
        }

    flow = {"meta": {"temporal": {"workflow": {"worker": "app:worker"}}}}
    activity = {"meta": {"temporal": {"activity": {"worker": "app:worker"}}}}
    entries = [
        {"name": "client", "kind": "temporal.client", "address": "localhost:7233"},
        {"name": "worker", "kind": "temporal.worker", "client": "app:client", "task_queue": root.name},
        {"name": "http", "kind": "http.service", "addr": f"127.0.0.1:{port}", "lifecycle": {"auto_start": True}},
        {"name": "router", "kind": "http.router", "meta": {"server": "app:http"}, "prefix": "/"},
        {
            "name": "get",
            "kind": "http.endpoint",
            "meta": {"router": "app:router"},
            "method": "GET",
            "path": "/page",
            "func": "app:page",
        },
        lua("order", "workflow.lua", **flow),
        lua("endless", "workflow.lua", **flow),
        lua("pay", "function.lua", **activity),
        lua("refuse", "function.lua", **activity),
        lua("page", "function.lua"),
    ]
    (root / "_index.yaml").write_text(yaml.safe_dump({"version": "1.0", "namespace": "app", "entries": entries}))
    return load_app(root)


def get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


async def test_counts(server_address: str, tmp_path: Path, directory: Path) -> None:
    app = application(tmp_path, free_port("127.0.0.1"))
    work.STORE.attach(directory, "0")
    sdk = SdkMetrics(work.STORE)
    following = asyncio.create_task(follow(sdk, "0"))
    page = Exposition(directory)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=sdk.buffer, attach_service_name=False))
    connecting = lambda entry: connect(entry, address=server_address, plaintext=True, runtime=runtime)  # noqa: E731
    async with serve(app, connecting, services=ServiceOptions(drain=0.1)) as serving:
        client = serving.clients["app:client"]
        for number in range(3):
            run = await client.start_workflow(
                "app:order", id=f"{tmp_path.name}-{number}", task_queue=tmp_path.name,
                start_signal="pay", start_signal_args=[5],
            )  # fmt: skip
            assert (await run.result())["paid"] == 5
        endless = await client.start_workflow("app:endless", id=f"{tmp_path.name}-e", task_queue=tmp_path.name)
        while not samples(page.metrics()).get(("fleet_workflow_activations_total", "result=violation")):
            await asyncio.sleep(0.05)
        await endless.terminate()
        statuses = [await asyncio.to_thread(get, serving.http[0].url + path) for path in ("/page", "/nothing")]
        assert statuses == [200, 404]
        await asyncio.sleep(0)
    following.cancel()
    await asyncio.wait([following])
    text = page.metrics()
    check_page(text)
    found = samples(text)

    def value(name: str, **labels: str) -> float:
        return found[name, *(f"{key}={labels[key]}" for key in sorted(labels))]

    assert value("fleet_activity_executions_total", entry="app:pay", result="completed") == 3
    assert value("fleet_activity_executions_total", entry="app:refuse", result="failed") == 3
    assert value("fleet_activity_execution_seconds_count", entry="app:pay") == 3
    assert value("fleet_process_messages_total", receiver="workflow", result="delivered") == 3
    assert value("fleet_workflow_activations_total", result="completed") >= 9
    live = value("fleet_workflow_activation_seconds_count", phase="live")
    replayed = value("fleet_workflow_activation_seconds_count", phase="replay")
    by_result = [
        value("fleet_workflow_activations_total", result=one) for one in ("completed", "failed", "violation", "fault")
    ]
    assert live + replayed == sum(by_result)
    assert value("fleet_codec_bytes_total", direction="decoded", side="workflow") > 1000
    assert value("fleet_codec_bytes_total", direction="encoded", side="activity") > 0
    assert value("fleet_http_requests_total", entry="app:get", status="2xx") == 1
    assert value("fleet_http_requests_total", entry="(none)", status="4xx") == 1
    assert value("fleet_worker_cpu_seconds_total", slot="0") > 0

    queue = {"namespace": "default", "task_queue": tmp_path.name}
    assert value("temporal_workflow_completed_total", **queue, workflow_type="app:order") == 3
    latency = "temporal_workflow_task_execution_latency_seconds"
    assert value(f"{latency}_count", **queue, workflow_type="app:order") >= 9
    assert value(f"{latency}_bucket", **queue, workflow_type="app:order", le="30.0") >= 9
    assert (
        "temporal_num_pollers",
        "namespace=default",
        "poller_type=activity_task",
        "task_queue=lua-fleet-node",
    ) in found
