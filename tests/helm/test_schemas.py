"""Every value set renders to what Kubernetes takes, and to objects that fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from helm_chart import CHART, NAMESPACE, VALUE_SETS, Manifest, helm, render, workload_of

VERSIONS = ("1.30", "1.33", "1.37")
CUSTOM = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}
"""Kinds of which Kubernetes itself has no schema: test_custom_schemas.py has."""
CONTROLLED = ("replicas", "minReadySeconds", "template")
"""What a WorkerDeployment, of which no package has the schema, shares with a Deployment."""

by_value_set = pytest.mark.parametrize("file", VALUE_SETS, ids=lambda file: file.stem)


@by_value_set
def test_lint(file: Path) -> None:
    done = helm("lint", str(CHART), "--strict", "--values", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


@by_value_set
@pytest.mark.parametrize("version", VERSIONS)
def test_the_schemas_of_kubernetes(file: Path, version: str) -> None:
    for manifest in render(file=file):
        if manifest["kind"] == "WorkerDeployment":
            kubernetes_validate.validate(as_deployment(manifest), version, strict=True)
        elif manifest["kind"] not in CUSTOM:
            # A kind without a schema raises as well.
            kubernetes_validate.validate(manifest, version, strict=True)


def as_deployment(manifest: Manifest) -> Manifest:
    """What Temporal's worker controller makes of a WorkerDeployment, as far as it comes from the chart."""
    spec = {name: manifest["spec"][name] for name in CONTROLLED}
    labels = spec["template"]["metadata"]["labels"]
    made = {**spec, "selector": {"matchLabels": labels}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": manifest["metadata"], "spec": made}


@by_value_set
def test_references(file: Path) -> None:
    objects = render(file=file)
    by_kind: dict[str, dict[str, Manifest]] = {}
    for manifest in objects:
        by_kind.setdefault(manifest["kind"], {})[manifest["metadata"]["name"]] = manifest
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", manifest["metadata"]["name"])
    deployment = workload_of(objects)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]}
    if deployment["kind"] == "Deployment":
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for pdb in by_kind.get("PodDisruptionBudget", {}).values():
        assert pdb["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for service in by_kind.get("Service", {}).values():
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for ingress in by_kind.get("Ingress", {}).values():
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                names = {port["name"] for port in by_kind["Service"][backend["name"]]["spec"]["ports"]}
                assert backend["port"]["name"] in names
    for monitor in by_kind.get("ServiceMonitor", {}).values():
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        chosen = [s for s in by_kind["Service"].values() if wanted <= s["metadata"]["labels"].items()]
        assert [port["name"] for service in chosen for port in service["spec"]["ports"]] == ["metrics"]
    for monitor in by_kind.get("PodMonitor", {}).values():
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for scaler in by_kind.get(kind, {}).values():
            assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
            assert "replicas" not in deployment["spec"]
            for trigger in scaler["spec"].get("triggers", []):
                if "authenticationRef" in trigger:
                    name = trigger["authenticationRef"]["name"]
                    assert name in by_kind.get("TriggerAuthentication", {}) or name == "temporal"
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    assert account in by_kind.get("ServiceAccount", {}) or account == "default"


@by_value_set
def test_volumes(file: Path) -> None:
    for pod in _pods(render(file=file)):
        volumes = [volume["name"] for volume in pod["volumes"]]
        assert len(set(volumes)) == len(volumes)
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert len(set(paths)) == len(paths)
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)


@by_value_set
def test_every_container_is_confined(file: Path) -> None:
    for pod in _pods(render(file=file)):
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


@by_value_set
def test_every_object_says_where_it_belongs(file: Path) -> None:
    for manifest in render(file=file):
        if manifest["metadata"]["name"] not in ("shop-extra", "shop-lua-fleet-more"):
            assert manifest["metadata"]["namespace"] == NAMESPACE
            assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "shop"


def _pods(objects: list[Manifest]) -> Iterator[dict[str, Any]]:
    for manifest in objects:
        if manifest["kind"] in ("Deployment", "WorkerDeployment"):
            yield manifest["spec"]["template"]["spec"]
        if manifest["kind"] == "Pod":
            yield manifest["spec"]
