"""Values that would not work fail the render, with their path."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from helm_chart import CHART, refusal

QUEUE = {"taskQueue": "orders", "targetQueueSize": 20}
GATEWAY = {"name": "gateway", "containerPort": 8080}
CONTROLLER = {"enabled": True, "connection": "temporal"}
GUARANTEED = {"requests": {"cpu": 2, "memory": "1Gi"}, "limits": {"cpu": 2, "memory": "1Gi"}}

SCHEMA: list[tuple[dict[str, Any], str]] = [
    ({"replicaCount": "two"}, "at '/replicaCount': got string, want integer"),
    ({"replicas": 2}, "additional properties 'replicas' not allowed"),
    ({"image": {"tags": "v1"}}, "at '/image': additional properties 'tags' not allowed"),
    ({"image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy': value must be one of"),
    ({"temporal": {"address": "temporal.example"}}, "at '/temporal/address'"),
    ({"temporal": {"auth": {"type": "token"}}}, "at '/temporal/auth/type': value must be one of"),
    ({"application": {"source": "git"}}, "at '/application/source': value must be one of"),
    ({"application": {"configMap": {"files": {"../a.lua": ""}}}}, "at '/application/configMap/files'"),
    ({"fleet": {"workers": 0}}, "at '/fleet/workers'"),
    ({"fleet": {"settings": {"hungAfter": "15s"}}}, "at '/fleet/settings'"),
    ({"drain": {"workerSeconds": "35s"}}, "at '/drain/workerSeconds': got string, want integer"),
    ({"resources": {"limits": {"cpu": "banana"}}}, "at '/resources/limits/cpu'"),
    ({"http": {"ports": [{"name": "gateway"}]}}, "at '/http/ports/0': missing property 'containerPort'"),
    ({"keda": {"queues": [{"taskQueue": "q"}]}}, "at '/keda/queues/0': missing property 'targetQueueSize'"),
    (
        {"keda": {"triggers": [{"type": "cron", "metadata": {"desiredReplicas": 3}}]}},
        "at '/keda/triggers/0/metadata/desiredReplicas': got number, want string",
    ),
    ({"keda": {"load": {"serverAddress": "prometheus:9090"}}}, "at '/keda/load/serverAddress'"),
    (
        {"versioning": {"workerController": {"rollout": {"strategy": "Canary"}}}},
        "at '/versioning/workerController/rollout/strategy': value must be one of",
    ),
    ({"versioning": {"deploymentName": "shop.v1"}}, "at '/versioning/deploymentName'"),
    ({"strategy": {"type": "Rolling"}}, "at '/strategy/type': value must be one of"),
    ({"extraVolumeMounts": [{"name": "certs"}]}, "at '/extraVolumeMounts/0': missing property 'mountPath'"),
    ({"metrics": {"prometheusRule": {"runbookUrl": "docs"}}}, "at '/metrics/prometheusRule/runbookUrl'"),
    ({"metrics": {"port": 70000}}, "at '/metrics/port': maximum"),
    ({"metrics": {"podMonitor": {"interval": "15"}}}, "at '/metrics/podMonitor/interval'"),
]

TOGETHER: list[tuple[dict[str, Any], str]] = [
    ({"drain": {"workerSeconds": 45}}, "drain.fleetSeconds (45) must be longer than drain.workerSeconds (45)"),
    (
        {"drain": {"terminationGracePeriodSeconds": 50}},
        "drain.terminationGracePeriodSeconds (50) must be longer than drain.preStopSeconds + drain.fleetSeconds (50)",
    ),
    ({"application": {"source": "configMap"}}, "application.configMap: application.source is configMap"),
    (
        {"application": {"source": "configMap", "configMap": {"name": "a", "files": {"b": ""}}}},
        "application.configMap: give name or files, not both",
    ),
    ({"application": {"configMap": {"name": "a"}}}, "application.configMap is given, but application.source is image"),
    ({"application": {"source": "initContainer"}}, "application.initContainer.image: application.source is"),
    ({"application": {"initContainer": {"image": "a"}}}, "application.initContainer.image is given, but"),
    ({"temporal": {"auth": {"type": "apiKey"}}}, "temporal.auth.apiKey.secretName: temporal.auth.type is apiKey"),
    ({"temporal": {"auth": {"type": "mtls"}}}, "temporal.auth.mtls.secretName: temporal.auth.type is mtls"),
    (
        {"temporal": {"auth": {"apiKey": {"secretName": "a"}}}},
        "temporal.auth.apiKey.secretName is given, but temporal.auth.type is none",
    ),
    ({"versioning": {"enabled": True}}, "versioning.deploymentName: versioning.enabled is true"),
    ({"versioning": {"buildId": "v1"}}, "versioning.enabled is false, but"),
    (
        {"versioning": {"enabled": True, "deploymentName": "a"}, "keda": {"enabled": True, "queues": [QUEUE]}},
        "versioning.buildId must be given: keda.queues asks for the backlog of one version",
    ),
    (
        {"versioning": {"workerController": {"enabled": True}}},
        "versioning.workerController.connection: versioning.workerController.enabled is true",
    ),
    (
        {"versioning": {"enabled": True, "deploymentName": "a", "workerController": CONTROLLER}},
        "versioning.enabled and versioning.workerController.enabled are both true",
    ),
    (
        {
            "versioning": {"workerController": CONTROLLER},
            "application": {"source": "configMap", "configMap": {"name": "a"}},
        },
        "application.source is configMap, but versioning.workerController needs image",
    ),
    (
        {"versioning": {"workerController": CONTROLLER}, "autoscaling": {"enabled": True}},
        "autoscaling.enabled: each version has a Deployment of its own",
    ),
    (
        {"versioning": {"workerController": CONTROLLER}, "keda": {"enabled": True, "queues": [QUEUE]}},
        "keda.enabled: each version has a Deployment of its own",
    ),
    (
        {"versioning": {"workerController": {**CONTROLLER, "rollout": {"strategy": "Progressive"}}}},
        "versioning.workerController.rollout.steps must be given: its strategy is Progressive",
    ),
    ({"env": [{"name": "TEMPORAL_ADDRESS", "value": "x"}]}, "env: TEMPORAL_ADDRESS would contradict"),
    ({"env": [{"name": "FLEET_LISTEN", "value": "off"}]}, "env: FLEET_LISTEN would contradict"),
    ({"resources": {"limits": {"memory": None}}}, "resources.limits.memory must be given: without it the caches"),
    ({"resources": {"limits": {"cpu": None}}}, "resources.limits.cpu must be given: fleet.workers is auto"),
    ({"fleet": {"cpuPinning": True}}, "resources.requests.cpu must equal resources.limits.cpu"),
    (
        {"fleet": {"cpuPinning": True, "workers": 3}, "resources": GUARANTEED},
        "fleet.workers (3) must not be more than resources.limits.cpu (2)",
    ),
    (
        {"fleet": {"cpuPinning": True}, "resources": {**GUARANTEED, "requests": {"cpu": 2, "memory": "512Mi"}}},
        "resources.requests.memory must equal resources.limits.memory",
    ),
    (
        {
            "fleet": {"cpuPinning": True},
            "resources": GUARANTEED,
            "application": {"source": "initContainer", "initContainer": {"image": "git-sync"}},
        },
        "application.initContainer.resources.requests.cpu must equal application.initContainer.resources.limits.cpu",
    ),
    (
        {"fleet": {"cpuPinning": True}, "resources": GUARANTEED, "initContainers": [{"name": "wait"}]},
        "initContainers[0].resources.limits.cpu must be given",
    ),
    (
        {"fleet": {"cpuPinning": True}, "resources": {"limits": {"cpu": "1500m"}}},
        'resources.limits.cpu is "1500m", but fleet.cpuPinning needs a whole number of CPUs',
    ),
    (
        {"fleet": {"cpuPinning": True}, "resources": GUARANTEED, "sidecars": [{"name": "proxy"}]},
        "sidecars[0].resources.limits.cpu must be given: fleet.cpuPinning needs the QoS class Guaranteed",
    ),
    ({"fleet": {"settings": {"worker_drain": "9s"}}}, "fleet.settings.worker_drain: use drain.workerSeconds"),
    ({"fleet": {"settings": {"listen": "off"}}}, "fleet.settings.listen: use metrics.port"),
    (
        {"autoscaling": {"enabled": True}, "keda": {"enabled": True, "queues": [QUEUE]}},
        "keda.enabled and autoscaling.enabled are both true",
    ),
    (
        {"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 4}},
        "autoscaling.minReplicas (5) must not be greater than autoscaling.maxReplicas (4)",
    ),
    (
        {"autoscaling": {"enabled": True, "targetCPUUtilizationPercentage": None}},
        "autoscaling: nothing to scale by",
    ),
    (
        {"autoscaling": {"enabled": True}, "resources": {"requests": None}},
        "resources.requests.cpu must be given",
    ),
    ({"keda": {"enabled": True}}, "keda: nothing to scale by: give queues, load.serverAddress or triggers"),
    (
        {"keda": {"enabled": True, "minReplicas": 0, "triggers": [{"type": "cpu", "metadata": {}}]}},
        "keda.minReplicas is 0, but keda.queues is empty",
    ),
    (
        {"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}},
        "podDisruptionBudget: give minAvailable or maxUnavailable",
    ),
    (
        {"podDisruptionBudget": {"minAvailable": 2}},
        "podDisruptionBudget.minAvailable (2) must be less than the fewest pods (2)",
    ),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "podDisruptionBudget.maxUnavailable is 0: no node could ever"),
    ({"podDisruptionBudget": {"maxUnavailable": "0%"}}, "podDisruptionBudget.maxUnavailable is 0%: no node"),
    ({"podDisruptionBudget": {"minAvailable": "100%"}}, "podDisruptionBudget.minAvailable is 100%: no node"),
    (
        {"keda": {"enabled": True, "queues": [QUEUE]}, "temporal": {"tls": {"enabled": True}}},
        "keda.authenticationRef must be given: temporal.tls.enabled is true and temporal.auth.type is none",
    ),
    ({"temporal": {"tls": {"serverName": "a"}}}, "temporal.tls.serverName is given, but temporal.tls.enabled is false"),
    (
        {"temporal": {"tls": {"caSecret": {"name": "a"}}}},
        "temporal.tls.caSecret.name is given, but temporal.tls.enabled is false",
    ),
    (
        {"commonLabels": {"app.kubernetes.io/name": "shop"}},
        "commonLabels: app.kubernetes.io/name is the chart's own",
    ),
    ({"podLabels": {"app.kubernetes.io/component": "a"}}, "podLabels: app.kubernetes.io/component is the chart's own"),
    ({"commonLabels": {"team": "a"}, "podLabels": {"team": "b"}}, "podLabels: team is in commonLabels already"),
    ({"podAnnotations": {"checksum/config": "a"}}, "podAnnotations: checksum/config is the chart's own"),
    ({"extraVolumes": [{"name": "scratch", "emptyDir": {}}]}, "extraVolumes[0].name: scratch is taken"),
    (
        {"extraVolumeMounts": [{"name": "certs", "mountPath": "/certs"}]},
        "extraVolumeMounts[0].name: certs is no volume: add it to extraVolumes",
    ),
    ({"sidecars": [{"name": "fleet"}]}, "sidecars[0].name: fleet is taken"),
    (
        {"metrics": {"podMonitor": {"enabled": True, "interval": "1m", "scrapeTimeout": "61s"}}},
        "metrics.podMonitor.scrapeTimeout (61s) must not be longer than metrics.podMonitor.interval (1m)",
    ),
    ({"http": {"ports": [GATEWAY, GATEWAY]}}, "http.ports[1].name: gateway is taken"),
    ({"http": {"ports": [{"name": "a", "containerPort": 9600}]}}, "http.ports[0].containerPort: 9600 is taken"),
    ({"http": {"ingress": {"enabled": True}}}, "http.ingress.hosts: http.ingress.enabled is true"),
    (
        {
            "http": {
                "ports": [GATEWAY],
                "ingress": {"enabled": True, "hosts": [{"host": "a", "paths": [{"path": "/", "port": "gate"}]}]},
            }
        },
        "http.ingress.hosts[0].paths[0].port: gate is not a name of http.ports (gateway)",
    ),
    (
        {"metrics": {"service": {"enabled": False}, "serviceMonitor": {"enabled": True}}},
        "metrics.serviceMonitor.enabled needs metrics.service.enabled",
    ),
    (
        {"metrics": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}},
        "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true",
    ),
]


@pytest.mark.parametrize(("values", "message"), SCHEMA)
def test_the_schema_refuses(values: dict[str, Any], message: str) -> None:
    assert message in refusal(values)


@pytest.mark.parametrize(("values", "message"), TOGETHER)
def test_values_that_do_not_fit_together(values: dict[str, Any], message: str) -> None:
    assert message in refusal(values)


def test_every_refusal_of_the_templates_is_tried() -> None:
    refused = [refusal(values) for values, _ in TOGETHER]
    text = (CHART / "templates" / "_validations.tpl").read_text()
    formats = re.findall(r'fail (?:\(printf )?"((?:[^"\\]|\\.)*)"', text)
    assert len(formats) == text.count("{{- fail ")
    for message in formats:
        pattern = ".+?".join(re.escape(part) for part in re.split("%[sdq]", message))
        assert any(re.search(pattern, one) for one in refused), message


def test_whatever_has_the_wrong_type_is_refused_with_its_path() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def wrong(part: dict[str, Any], path: str) -> Any:
        """A value of another type for each leaf; their paths go to `expected`."""
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]
        if part.get("properties"):
            return {name: wrong(below, f"{path}/{name}") for name, below in part["properties"].items()}
        expected.append(path)
        if "oneOf" in part or "anyOf" in part:
            return [True]
        types = part["type"] if isinstance(part["type"], list) else [part["type"]]
        return "" if "string" not in types else [True]

    expected: list[str] = []
    message = refusal(wrong(schema, ""))
    assert len(expected) > 100
    assert [path for path in expected if f"at '{path}'" not in message] == []
