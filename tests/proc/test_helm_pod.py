"""The pods of the rendered manifests, run on a real server as a kubelet would run them."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_chart import ROOT, container_of, only, pod_of
from helm_release import ask, run_flow, serving_http, values, wait_ready
from pod_node import OPEN_FILES, StartNode, quantity
from supervised import free_port
from tls_endpoint import Authority, tls_proxy

from fleet.supervisor.memory import cache_share


def test_the_fleet_becomes_ready_serves_is_scraped_and_drains_within_its_grace_period(
    start_node: StartNode, server_address: str, tmp_path: Path
) -> None:
    node = start_node(serving_http(values(server_address, tmp_path.name)))
    spec, manifest = pod_of(node.objects)["spec"], container_of(node.objects)
    limit = quantity(manifest["resources"]["limits"]["memory"])
    container = node.start(spec)
    wait_ready(container, node.objects)
    assert run_flow(container) == "2\n"
    assert "fleet_build_info" in ask(container, node.objects, "/metrics")
    # Where the Service leads.
    [port] = only(node.objects, "Service", "-lua-fleet")["spec"]["ports"]
    assert ask(container, node.objects, "/page", port["targetPort"]) == "served"

    # The container is what the manifest says: the limits are known and held, nothing can be written but scratch.
    begun = [json.loads(line) for line in container.log.splitlines() if '"event":"start"' in line]
    assert [event["cache_bytes"] for event in begun] == [cache_share(1, limit)], "one worker for the one CPU"
    facts = dict(line.split(":", 1) for line in Path(f"/proc/{container.first}/status").read_text().splitlines())
    assert facts["Uid"].split() == [str(spec["securityContext"]["runAsUser"])] * 4
    assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0 and int(facts["NoNewPrivs"]) == 1
    limits = Path(f"/proc/{container.first}/limits").read_text()
    assert re.search(rf"Max open files +{OPEN_FILES} ", limits) and re.search(rf"Max data size +{limit} ", limits)
    assert container.memory() < limit
    for path in ("/app/new", "/etc/lua-fleet/new", "/new", "/opt/new"):
        refused = container.run(["sh", "-c", f": > {path}"])
        assert refused.returncode != 0 and "Read-only file system" in refused.stderr

    told = time.monotonic()
    hook = container.run(manifest["lifecycle"]["preStop"]["exec"]["command"])
    assert hook.returncode == 0
    container.terminate()
    # The first process of a container is not ended by a signal of its own: its code tells of it.
    assert container.process.wait(spec["terminationGracePeriodSeconds"]) == 128 + signal.SIGTERM, container.log
    assert time.monotonic() - told < spec["terminationGracePeriodSeconds"]


KEY = "sk-live-0123456789"
TLS = {"serverName": "temporal.example", "caSecret": {"name": "authority"}}
CONNECTIONS: dict[str, dict[str, Any]] = {
    "tls": {"tls": {**TLS, "enabled": True}},
    "mtls": {"tls": TLS, "auth": {"type": "mtls", "mtls": {"secretName": "client"}}},
    "apiKey": {"tls": TLS, "auth": {"type": "apiKey", "apiKey": {"secretName": "key"}}},
}


@pytest.mark.parametrize("name", CONNECTIONS)
async def test_secrets_of_the_manifest_open_the_server(
    name: str, start_node: StartNode, server_address: str, tmp_path: Path
) -> None:
    """The entry is written as the documentation says, and the test pod has one of its own."""
    (tmp_path / "authority").mkdir()
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("client")
    front = tls_proxy(
        server_address,
        authority.issue("temporal.example"),
        client_ca=authority.ca_file if name == "mtls" else None,
        api_key=KEY if name == "apiKey" else None,
    )
    async with front as address:
        chosen = values(address, tmp_path.name, connection=documented_connection(name))
        chosen["temporal"] |= CONNECTIONS[name]
        node = start_node(chosen)
        node.secrets = {
            "authority": {"ca.crt": authority.ca_file.read_bytes()},
            "client": {"tls.crt": certificate.read_bytes(), "tls.key": key.read_bytes()},
            "key": {"api-key": KEY.encode()},
        }
        container = node.start(pod_of(node.objects)["spec"])
        smoke = node.start(only(node.objects, "Pod", "-smoke")["spec"])
        await asyncio.to_thread(wait_ready, container, node.objects)
        assert await asyncio.to_thread(run_flow, container) == "2\n"
        assert await asyncio.to_thread(smoke.process.wait, 100) == 0, smoke.log
        assert KEY not in container.log + smoke.log


def documented_connection(name: str) -> str:
    """The lines of docs/kubernetes.md for this kind of connection."""
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    [tls] = re.findall(r"^tls: .+$", text, re.MULTILINE)
    kinds = {"apiKey": "api_key", "mtls": "mtls"}
    auth = re.findall(rf"^auth: {{type: {kinds[name]}, .+$", text, re.MULTILINE) if name in kinds else []
    assert len(auth) == (name in kinds)
    return "\n    ".join([tls, *auth])


def test_an_init_container_fills_the_application(start_node: StartNode, server_address: str, tmp_path: Path) -> None:
    """As git-sync does it: a checkout under the name of its revision, and a link to it."""
    chosen = values(server_address, tmp_path.name)
    files = chosen.pop("application")["configMap"]["files"]
    checkout = "mkdir -p /application/c0ffee/lib && cp /seed/_index.yaml /application/c0ffee/"
    checkout += " && cp /seed/flow.lua /application/c0ffee/lib/ && ln -s c0ffee /application/current"
    chosen["application"] = {
        "source": "initContainer",
        "initContainer": {
            "image": "git-sync",
            "command": ["sh", "-ec", checkout],
            "subPath": "current",
            "volumeMounts": [{"name": "seed", "mountPath": "/seed", "readOnly": True}],
        },
    }
    chosen["extraVolumes"] = [{"name": "seed", "configMap": {"name": "seed"}}]
    seed = {"_index.yaml": files["_index.yaml"], "flow.lua": files["lib/flow.lua"]}
    chosen["extraObjects"] = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seed"}, "data": seed}]
    node = start_node(chosen)
    spec = pod_of(node.objects)["spec"]
    [init] = spec["initContainers"]
    filling = node.start(spec, init)
    assert filling.process.wait(60) == 0, filling.log
    container = node.start(spec)
    wait_ready(container, node.objects)
    assert run_flow(container, "/app/current") == "2\n"


def test_the_commands_of_the_documentation(start_node: StartNode, server_address: str) -> None:
    """What remains of them when there is no cluster: the release of its values, `helm test`, and the last command."""
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    [block] = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "_index.yaml" in block]
    chosen = yaml.safe_load(block) | {"temporal": {"address": server_address}, "metrics": {"port": free_port()}}
    node = start_node(chosen | {"fleet": {"workers": 1}})
    container = node.start(pod_of(node.objects)["spec"])
    wait_ready(container, node.objects)
    spec = only(node.objects, "Pod", "-smoke")["spec"]
    smoke = node.start(spec)
    [command] = re.findall(r"^kubectl exec .* -- (fleet run .*)$", text, re.MULTILINE)
    assert container.run(shlex.split(command)).stdout == '"hello, Ada"\n'
    assert smoke.process.wait(spec["activeDeadlineSeconds"]) == 0, smoke.log
    assert '"hello, fleet"' in smoke.log
