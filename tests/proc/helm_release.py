"""A release of the chart on the test server: its values, and what is asked of its pods."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

from helm_chart import Manifest, container_of
from pod_node import Container
from supervised import free_port, until

INDEX = """\
version: "1.0"
namespace: app
entries:
  - name: temporal
    kind: temporal.client
    address: ${env:TEMPORAL_ADDRESS}
    CONNECTION
  - {name: worker, kind: temporal.worker, client: "app:temporal", task_queue: QUEUE}
  - name: flow
    kind: workflow.lua
    source: file://lib/flow.lua
    method: main
    modules: [process]
    meta: {temporal: {workflow: {worker: worker}}}
"""
HTTP = """\
  - {name: http, kind: http.service, addr: "0.0.0.0:PORT", lifecycle: {auto_start: true}}
  - {name: router, kind: http.router, meta: {server: "app:http"}, prefix: /}
  - {name: page, kind: http.endpoint, meta: {router: "app:router"}, method: GET, path: /page, func: "app:answer"}
  - {name: answer, kind: function.lua, source: file://answer.lua, method: main, modules: [http]}
"""
ANSWER = """\
local http = require("http")
local function main() return http.response():status(200):text("served") end
return { main = main }
"""
FLOW = "local function main(n) return n + 1 end\nreturn { main = main }\n"


def values(server_address: str, queue: str, *, connection: str = "", flow: str = FLOW) -> dict[str, Any]:
    """A release with an application in a ConfigMap.

    connection: lines of its temporal.client entry. flow: the Lua of its workflow app:flow.
    """
    index = INDEX.replace("QUEUE", queue).replace("CONNECTION", connection)
    return {
        "temporal": {"address": server_address},
        "application": {"source": "configMap", "configMap": {"files": {"_index.yaml": index, "lib/flow.lua": flow}}},
        "resources": {"requests": {"cpu": 1}, "limits": {"cpu": 1}},
        "metrics": {"port": free_port()},
        "test": {"taskQueue": f"smoke-{queue}"},
        "drain": {"preStopSeconds": 1},
    }


def serving_http(chosen: dict[str, Any]) -> dict[str, Any]:
    """These values, with an HTTP service on a port named gateway."""
    port = free_port()
    files = dict(chosen["application"]["configMap"]["files"])
    files["_index.yaml"] += HTTP.replace("PORT", str(port))
    application = {"source": "configMap", "configMap": {"files": {**files, "answer.lua": ANSWER}}}
    ports = [{"name": "gateway", "containerPort": port, "servicePort": 80}]
    return {**chosen, "application": application, "http": {"ports": ports}}


def ask(container: Container, objects: list[Manifest], path: str, name: str = "metrics") -> str:
    """What the port of this name answers; empty when it is not there or not good."""
    assert container.process.poll() is None, container.log
    port = next(port["containerPort"] for port in container_of(objects)["ports"] if port["name"] == name)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, ConnectionError):
        return ""


def wait_ready(container: Container, objects: list[Manifest]) -> None:
    """The probes of the manifest, in the order in which the kubelet asks them."""
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        path = container_of(objects)[probe]["httpGet"]["path"]
        until(lambda path=path: ask(container, objects, path), lambda: container.log)


def run_flow(container: Container, app: str = "/app") -> str:
    """What `fleet run`, in the container, prints."""
    done = container.run(["fleet", "run", "app:flow", "1", "--app", app, "--timeout", "60s"])
    assert done.returncode == 0, done.stderr + container.log
    return done.stdout
