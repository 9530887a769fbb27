"""The pods of the rendered manifests as processes on a real server: same commands, environment, files and settings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helm_chart import ROOT, Manifest, container_of, only, pod_of, render
from supervised import free_port, until

FILES = {
    "_index.yaml": """\
version: "1.0"
namespace: app
entries:
  - {name: temporal, kind: temporal.client, address: "${env:TEMPORAL_ADDRESS}", tls: {enabled: "${env:TEMPORAL_TLS|false}"}}
  - {name: worker, kind: temporal.worker, client: "app:temporal", task_queue: QUEUE}
  - name: flow
    kind: workflow.lua
    source: file://lib/flow.lua
    method: main
    meta: {temporal: {workflow: {worker: worker}}}
""",
    "lib/flow.lua": "local function main(n) return n + 1 end\nreturn { main = main }\n",
}


class Node:
    """Where containers run: their paths are below a directory of it, as the kubelet would have mounted them."""

    def __init__(self, home: Path, objects: list[Manifest]) -> None:
        self.home = home
        self.objects = objects
        self.running: list[subprocess.Popen[bytes]] = []
        programs = home / "bin"
        programs.mkdir()
        (programs / "fleet").write_text(f'#!/bin/sh\nexec {sys.executable} -m fleet "$@"\n')
        (programs / "fleet").chmod(0o755)

    def run(self, name: str, spec: dict[str, Any]) -> subprocess.Popen[bytes]:
        """Start the first container of a pod."""
        container = spec["containers"][0]
        root = self.home / name
        places = {mount["mountPath"]: root / mount["mountPath"][1:] for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            self._mount(volumes[mount["name"]], places[mount["mountPath"]], places)
        command = [self._inside(part, places) for part in [*container["command"], *container.get("args", [])]]
        environ = {v["name"]: self._inside(v["value"], places) for v in container["env"]}
        environ["PATH"] = f"{self.home / 'bin'}:{os.environ['PATH']}"
        with (self.home / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                # A node's limit on open files.
                ["prlimit", "--nofile=1024", *command],
                cwd=self._inside(container["workingDir"], places),
                env={**environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()

    def _mount(self, volume: dict[str, Any], place: Path, places: dict[str, Path]) -> None:
        place.mkdir(parents=True)
        if "configMap" not in volume:
            return
        data = only(self.objects, "ConfigMap", volume["configMap"]["name"])["data"]
        items = volume["configMap"].get("items", [{"key": key, "path": key} for key in data])
        # As the kubelet does it: files in a hidden directory, links to them, so that an update is one rename.
        for item in items:
            file = place / "..2026_11_23" / item["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            # The manifest listens on all interfaces of its pod, which here is the machine.
            file.write_text(self._inside(data[item["key"]], places).replace("0.0.0.0", "127.0.0.1"))
        (place / "..data").symlink_to("..2026_11_23")
        for name in {item["path"].split("/")[0] for item in items}:
            (place / name).symlink_to(f"..data/{name}")

    @staticmethod
    def _inside(text: str, places: dict[str, Path]) -> str:
        for path, place in places.items():
            if text == path or text.startswith(path + "/"):
                return str(place) + text[len(path) :]
            text = text.replace(f" {path} ", f" {place} ")
        return text


@pytest.fixture
def node(tmp_path: Path, server_address: str) -> Iterator[Node]:
    """A node for a release on the test server."""
    files = {path: text.replace("QUEUE", tmp_path.name) for path, text in FILES.items()}
    values = {
        "temporal": {"address": server_address},
        "application": {"source": "configMap", "configMap": {"files": files}},
        "fleet": {"workers": 1},
        "metrics": {"port": free_port()},
        "test": {"taskQueue": f"smoke-{tmp_path.name}"},
        "drain": {"preStopSeconds": 0},
    }
    node = Node(tmp_path, render(values))
    yield node
    for process in node.running:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_the_fleet_becomes_ready_serves_is_scraped_and_drains_within_its_grace_period(node: Node) -> None:
    spec = pod_of(node.objects)["spec"]
    container = container_of(node.objects)
    port = next(port["containerPort"] for port in container["ports"] if port["name"] == "metrics")
    process = node.run("fleet", spec)

    def get(path: str) -> str:
        assert process.poll() is None, node.log("fleet")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, ConnectionError):
            return ""

    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        path = container[probe]["httpGet"]["path"]
        until(lambda path=path: get(path), lambda: node.log("fleet"))
    app = node.home / "fleet" / "app"
    environ = {v["name"]: v["value"] for v in container["env"] if v["name"].startswith("TEMPORAL_")}
    done = subprocess.run(
        [node.home / "bin" / "fleet", "run", "app:flow", "1", "--app", app, "--timeout", "60s"],
        env={**os.environ, **environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    assert "fleet_build_info" in get("/metrics")
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(spec["terminationGracePeriodSeconds"])
    assert process.returncode == -signal.SIGTERM, node.log("fleet")
    assert time.monotonic() - told < spec["terminationGracePeriodSeconds"]


def test_the_test_pod_runs_its_workflow(node: Node) -> None:
    spec = only(node.objects, "Pod", "-smoke")["spec"]
    process = node.run("smoke", spec)
    assert process.wait(spec["activeDeadlineSeconds"]) == 0, node.log("smoke")
    assert '"hello, fleet"' in node.log("smoke")
