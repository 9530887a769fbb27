"""Objects that Kubernetes itself does not know: the schemas of KEDA and of the Prometheus operator, and KEDA's scalers.

There are two sets of schemas (fetch_crds.py): closed ones, for an API server drops a field that it does not know without
a word, and a mistyped one becomes a default; and newer ones, which know more rules for values.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from helm_chart import ROOT, VALUE_SETS, Manifest, only, refusal, render

FETCHED = ROOT / "build" / "tools" / "crds"
KINDS = {
    "ScaledObject": "keda.sh/v1alpha1",
    "TriggerAuthentication": "keda.sh/v1alpha1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "PodMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
}

TEMPORAL_SCALER = {
    "endpoint": True,
    "namespace": False,
    "taskQueue": True,
    "targetQueueSize": False,
    "activationTargetQueueSize": False,
    "queueTypes": False,
    "workerDeploymentName": False,
    "workerDeploymentBuildId": False,
    "minConnectTimeout": False,
    "unsafeSsl": False,
    "tlsServerName": False,
}
"""Metadata of KEDA's temporal scaler since KEDA 2.21, and whether they are required. What it does not know it ignores."""
TEMPORAL_AUTHENTICATION = {"apiKey", "ca", "cert", "key", "keyPassword"}
PROMETHEUS_SCALER = {"serverAddress", "query", "threshold"}

QUEUE = {"taskQueue": "orders", "targetQueueSize": 20}
MTLS = {"auth": {"type": "mtls", "mtls": {"secretName": "client"}}}


def missing(what: str) -> None:
    """Skips the test, except in CI."""
    reason = f"{what}: make helm"
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@functools.cache
def closed_schemas() -> dict[str, Any]:
    file = FETCHED / "crds.json"
    if not file.exists():
        missing("the schemas of custom resources are missing")
    schemas: dict[str, Any] = json.loads(file.read_text())
    return schemas


def wrong(manifest: Manifest) -> list[str]:
    """The paths at which the closed schema refuses a manifest."""
    validator = jsonschema.Draft202012Validator(closed_schemas()[manifest["kind"]])
    return [error.json_path for error in validator.iter_errors(manifest)]


def newer(manifests: list[Manifest]) -> list[str | None]:
    """What the newer models say of each manifest: None when nothing is wrong."""
    node = shutil.which("node")
    if node is None or not (FETCHED / "node_modules").exists():
        missing("node, npm or what they fetch is missing")
    program = [str(node), str(Path(__file__).parent / "validate_custom.mjs"), str(FETCHED / "node_modules")]
    done = subprocess.run(program, input=json.dumps(manifests), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers: list[str | None] = json.loads(done.stdout)
    return answers


def custom(file: Path) -> list[Manifest]:
    """What the schemas of Kubernetes do not cover."""
    return [manifest for manifest in render(file=file) if manifest["apiVersion"] in KINDS.values()]


@pytest.mark.parametrize("file", VALUE_SETS, ids=lambda file: file.stem)
def test_the_closed_schemas(file: Path) -> None:
    for manifest in custom(file):
        assert wrong(manifest) == []


def test_the_newer_models() -> None:
    manifests = [manifest for file in VALUE_SETS for manifest in custom(file)]
    assert newer(manifests) == [None] * len(manifests)
    assert {m["kind"]: m["apiVersion"] for m in manifests} == KINDS, "each kind is rendered by some value set"


BROKEN: list[tuple[str, tuple[Any, ...], Any]] = [
    ("ServiceMonitor", ("spec", "endpoints", 0, "interval"), "15"),
    ("ServiceMonitor", ("spec", "selector"), None),
    ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "for"), "soon"),
    ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "expr"), None),
    ("ScaledObject", ("spec", "triggers", 0, "metadata", "targetQueueSize"), 20),
    ("ScaledObject", ("spec", "scaleTargetRef"), None),
    ("TriggerAuthentication", ("spec", "secretTargetRef", 0, "parameter"), None),
]
UNKNOWN: list[tuple[str, tuple[Any, ...], Any]] = [
    ("ServiceMonitor", ("spec", "endpoints", 0, "intervall"), "15s"),
    ("ScaledObject", ("spec", "minReplicas"), 1),
    ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "severity"), "page"),
]


def broken(kind: str, path: tuple[Any, ...], value: Any) -> Manifest:
    """The manifest of a kind with something else at a path; None takes it away."""
    file = next(file for file in VALUE_SETS if file.stem.startswith("versioned"))
    manifest = copy.deepcopy(only(render(file=file), kind))
    *above, last = path
    place: Any = manifest
    for step in above:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return manifest


def test_what_is_wrong_is_found() -> None:
    assert all(wrong(broken(*case)) for case in [*BROKEN, *UNKNOWN])
    assert all(newer([broken(*case) for case in BROKEN]))


@pytest.mark.parametrize("file", VALUE_SETS, ids=lambda file: file.stem)
def test_the_scalers_know_what_they_are_given(file: Path) -> None:
    objects = render(file=file)
    for scaled in (o for o in objects if o["kind"] == "ScaledObject"):
        for trigger in scaled["spec"]["triggers"]:
            metadata = trigger["metadata"]
            if trigger["type"] == "prometheus":
                assert set(metadata) == PROMETHEUS_SCALER
                continue
            assert set(metadata) <= set(TEMPORAL_SCALER)
            assert {name for name, required in TEMPORAL_SCALER.items() if required} <= set(metadata)
            assert set(metadata["queueTypes"].split(",")) <= {"workflow", "activity"}
            assert ("workerDeploymentName" in metadata) == ("workerDeploymentBuildId" in metadata)
    for authentication in (o for o in objects if o["kind"] == "TriggerAuthentication"):
        parameters = {ref["parameter"] for ref in authentication["spec"]["secretTargetRef"]}
        assert parameters <= TEMPORAL_AUTHENTICATION
        assert ("cert" in parameters) == ("key" in parameters)


def scaled(**values: Any) -> list[Manifest]:
    return render({"keda": {"enabled": True, "queues": [QUEUE]}, **values})


def test_keda_looks_at_the_backlog_of_the_version_that_the_pods_run() -> None:
    objects = scaled(versioning={"enabled": True, "deploymentName": "shop", "buildId": "v8"})
    metadata = only(objects, "ScaledObject")["spec"]["triggers"][0]["metadata"]
    assert (metadata["workerDeploymentName"], metadata["workerDeploymentBuildId"]) == ("shop", "v8")
    values = {"keda": {"enabled": True, "queues": [QUEUE]}, "versioning": {"enabled": True, "deploymentName": "shop"}}
    assert "versioning.buildId must be given: keda.queues asks for the backlog of one version" in refusal(values)


def test_keda_has_the_secrets_of_the_fleet() -> None:
    objects = scaled(temporal={**MTLS, "tls": {"caSecret": {"name": "authority"}}})
    made = only(objects, "TriggerAuthentication")
    [trigger] = only(objects, "ScaledObject")["spec"]["triggers"]
    assert trigger["authenticationRef"] == {"name": made["metadata"]["name"]}
    refs = {ref["parameter"]: (ref["name"], ref["key"]) for ref in made["spec"]["secretTargetRef"]}
    assert refs == {"cert": ("client", "tls.crt"), "key": ("client", "tls.key"), "ca": ("authority", "ca.crt")}
    key = {"auth": {"type": "apiKey", "apiKey": {"secretName": "cloud", "key": "key"}}}
    [ref] = only(scaled(temporal=key), "TriggerAuthentication")["spec"]["secretTargetRef"]
    assert ref == {"parameter": "apiKey", "name": "cloud", "key": "key"}


def test_keda_has_secrets_of_its_own_or_none() -> None:
    objects = render({"temporal": MTLS, "keda": {"enabled": True, "queues": [QUEUE], "authenticationRef": "mine"}})
    assert not [o for o in objects if o["kind"] == "TriggerAuthentication"]
    assert only(objects, "ScaledObject")["spec"]["triggers"][0]["authenticationRef"] == {"name": "mine"}
    assert "authenticationRef" not in only(scaled(), "ScaledObject")["spec"]["triggers"][0]


def test_the_load_is_that_of_the_pods_of_the_release() -> None:
    objects = render({"keda": {"enabled": True, "load": {"serverAddress": "http://prometheus:9090", "tasksPerPod": 7}}})
    [trigger] = only(objects, "ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["threshold"] == "7"
    assert '{namespace="prod",pod=~"shop-lua-fleet-[0-9a-z]+-[0-9a-z]+"}' in trigger["metadata"]["query"]
