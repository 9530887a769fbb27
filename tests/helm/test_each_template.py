"""The object of each template, whole: defaults, and what its values change."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from helm_chart import CHART, Manifest, helm, only, pod_of, render

POD_LABELS = {
    "app.kubernetes.io/name": "lua-fleet",
    "app.kubernetes.io/instance": "shop",
    "app.kubernetes.io/component": "fleet",
}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-lua-fleet"}
GATEWAY = {"name": "gateway", "containerPort": 8080, "servicePort": 80}


def spec_of(values: Any, kind: str, suffix: str = "") -> Any:
    """The spec of the only object of a kind."""
    return only(render(values), kind, suffix)["spec"]


def kinds(values: Any) -> list[str]:
    return [manifest["kind"] for manifest in render(values)]


def test_names_and_labels() -> None:
    for manifest in render({"commonLabels": {"team": "shop"}, "image": {"tag": "v2_final-"}}):
        labels = manifest["metadata"]["labels"]
        assert manifest["metadata"]["name"].startswith("shop-lua-fleet")
        assert labels["team"] == "shop" and labels["helm.sh/chart"].startswith("lua-fleet-")
        assert labels["app.kubernetes.io/version"] == "v2_final", "a label must end with a letter or digit"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
    for values, name in (
        ({"nameOverride": "orders"}, "shop-orders"),
        ({"nameOverride": "shop"}, "shop"),
        ({"fullnameOverride": "f" * 60}, "f" * 50),
    ):
        assert only(render(values), "Deployment")["metadata"]["name"] == name
        assert max(len(manifest["metadata"]["name"]) for manifest in render(values)) <= 63


def test_the_deployment() -> None:
    spec = spec_of({}, "Deployment")
    template = spec.pop("template")
    assert spec == {
        "replicas": 2,
        "revisionHistoryLimit": 5,
        "minReadySeconds": 5,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "selector": {"matchLabels": POD_LABELS},
    }
    pod = template["spec"]
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    assert pod["terminationGracePeriodSeconds"] == 60
    [container] = pod["containers"]
    assert (container["command"], container["args"]) == (
        ["fleet"],
        ["supervise", "/app", "--config", "/etc/lua-fleet/fleet.yaml"],
    )
    assert container["image"] == "lua-fleet:0.1.0"
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    for constraint in pod["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == POD_LABELS
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"


def test_what_the_pod_takes_over_from_the_values() -> None:
    values: dict[str, Any] = {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "imagePullSecrets": [{"name": "registry"}],
        "initContainers": [{"name": "wait", "image": "busybox"}],
        "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
    }
    template = pod_of(render({**values, "sidecars": [{"name": "proxy", "image": "envoy"}]}))
    for name, value in values.items():
        assert template["spec"][name] == value
    assert template["spec"]["containers"][1] == {"name": "proxy", "image": "envoy"}
    container = pod_of(render({"env": [{"name": "A", "value": "b"}], "envFrom": [{"secretRef": {"name": "s"}}]}))
    assert container["spec"]["containers"][0]["env"][-1] == {"name": "A", "value": "b"}
    assert container["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "s"}}]


def test_the_service_account() -> None:
    made = only(render({"serviceAccount": {"name": "orders", "annotations": {"role": "shop"}}}), "ServiceAccount")
    assert made["metadata"]["name"] == "orders" and made["metadata"]["annotations"] == {"role": "shop"}
    assert made["automountServiceAccountToken"] is False
    for values, name in (({"create": False}, "default"), ({"create": False, "name": "mine"}, "mine")):
        objects = render({"serviceAccount": values})
        assert "ServiceAccount" not in {o["kind"] for o in objects}
        assert pod_of(objects)["spec"]["serviceAccountName"] == name


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"maxUnavailable": 1}),
        ({"maxUnavailable": "30%"}, {"maxUnavailable": "30%"}),
        ({"minAvailable": 1}, {"minAvailable": 1}),
        ({"minAvailable": "50%"}, {"minAvailable": "50%"}),
    ],
)
def test_the_pod_disruption_budget(values: Any, expected: Any) -> None:
    spec = spec_of({"podDisruptionBudget": values}, "PodDisruptionBudget")
    assert spec == {**expected, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": {"matchLabels": POD_LABELS}}
    assert "PodDisruptionBudget" not in kinds({"podDisruptionBudget": {"enabled": False}})


def test_a_single_pod_does_not_hold_its_node_back() -> None:
    assert spec_of({"replicaCount": 1}, "PodDisruptionBudget")["maxUnavailable"] == 1


def test_the_service_and_the_ingress() -> None:
    ingress = {
        "enabled": True,
        "className": "nginx",
        "annotations": {"a": "b"},
        "hosts": [{"host": "shop.example", "paths": [{"path": "/", "port": "gateway"}]}],
        "tls": [{"secretName": "shop", "hosts": ["shop.example"]}],
    }
    values = {"http": {"ports": [GATEWAY], "service": {"type": "NodePort"}, "ingress": ingress}}
    assert spec_of(values, "Service", "fleet") == {
        "type": "NodePort",
        "selector": POD_LABELS,
        "ports": [{"name": "gateway", "port": 80, "targetPort": "gateway"}],
    }
    backend = {"service": {"name": "shop-lua-fleet", "port": {"name": "gateway"}}}
    assert spec_of(values, "Ingress") == {
        "ingressClassName": "nginx",
        "tls": ingress["tls"],
        "rules": [
            {
                "host": "shop.example",
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
            }
        ],
    }
    assert only(render(values), "Ingress")["metadata"]["annotations"] == {"a": "b"}
    [container] = pod_of(render(values))["spec"]["containers"]
    assert {"name": "gateway", "containerPort": 8080} in container["ports"]


def test_the_network_policy() -> None:
    own, others = [{"podSelector": {}}], [{"namespaceSelector": {}}]
    extra = {"ports": [{"port": 5432}]}
    values = {
        "temporal": {"address": "[2001:db8::1]:7234"},
        "http": {"ports": [GATEWAY]},
        "networkPolicy": {"enabled": True, "metricsFrom": own, "httpFrom": others, "extraEgress": [extra]},
    }
    assert spec_of(values, "NetworkPolicy") == {
        "podSelector": {"matchLabels": {k: v for k, v in POD_LABELS.items() if not k.endswith("component")}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"ports": [{"port": "metrics"}], "from": own},
            {"ports": [{"port": "gateway"}], "from": others},
        ],
        "egress": [
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"ports": [{"port": 7234}]},
            extra,
        ],
    }
    assert "NetworkPolicy" not in kinds({})


def test_the_horizontal_pod_autoscaler() -> None:
    queue = {"type": "External", "external": {"metric": {"name": "backlog"}, "target": {"type": "Value", "value": 5}}}
    values = {"autoscaling": {"enabled": True, "minReplicas": 3, "maxReplicas": 30, "metrics": [queue]}}
    cpu = {"name": "cpu", "container": "fleet", "target": {"type": "Utilization", "averageUtilization": 70}}
    assert spec_of(values, "HorizontalPodAutoscaler") == {
        "scaleTargetRef": TARGET,
        "minReplicas": 3,
        "maxReplicas": 30,
        "metrics": [{"type": "ContainerResource", "containerResource": cpu}, queue],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
    }
    values["autoscaling"]["targetCPUUtilizationPercentage"] = None
    assert spec_of(values, "HorizontalPodAutoscaler")["metrics"] == [queue]


def test_the_scaled_object() -> None:
    values = {"keda": {"enabled": True, "minReplicas": 0, "queues": [{"taskQueue": "orders", "targetQueueSize": 20}]}}
    assert spec_of(values, "ScaledObject") == {
        "scaleTargetRef": {"name": "shop-lua-fleet"},
        "minReplicaCount": 0,
        "maxReplicaCount": 10,
        "pollingInterval": 15,
        "cooldownPeriod": 300,
        "triggers": [
            {
                "type": "temporal",
                "metadata": {
                    "endpoint": "temporal-frontend.temporal.svc.cluster.local:7233",
                    "namespace": "default",
                    "taskQueue": "orders",
                    "targetQueueSize": "20",
                    "queueTypes": "workflow,activity",
                },
            }
        ],
    }


def test_the_service_of_the_metrics_and_its_monitor() -> None:
    values = {"metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}}
    assert spec_of(values, "Service", "-metrics") == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": POD_LABELS,
        "ports": [{"name": "metrics", "port": 9600, "targetPort": "metrics"}],
    }
    chosen = {**POD_LABELS, "app.kubernetes.io/component": "metrics"}
    endpoint = {"port": "metrics", "path": "/metrics", "interval": "15s", "scrapeTimeout": "10s"}
    assert spec_of(values, "ServiceMonitor") == {"selector": {"matchLabels": chosen}, "endpoints": [endpoint]}
    assert only(render(values), "ServiceMonitor")["metadata"]["labels"]["release"] == "prometheus"


def test_the_pod_monitor() -> None:
    values = {"metrics": {"service": {"enabled": False}, "podMonitor": {"enabled": True, "interval": "1m"}}}
    endpoint = {"port": "metrics", "path": "/metrics", "interval": "1m", "scrapeTimeout": "10s"}
    assert spec_of(values, "PodMonitor") == {
        "selector": {"matchLabels": POD_LABELS},
        "podMetricsEndpoints": [endpoint],
    }
    assert "Service" not in kinds(values)


def test_the_dashboard_is_found_by_the_sidecar() -> None:
    values = {"metrics": {"dashboard": {"enabled": True, "annotations": {"folder": "Temporal"}}}}
    metadata = only(render(values), "ConfigMap", "-dashboards")["metadata"]
    assert metadata["labels"]["grafana_dashboard"] == "1" and metadata["annotations"] == {"folder": "Temporal"}


def test_the_test_pod_is_a_hook_that_never_serves_the_application() -> None:
    objects = render({"test": {"taskQueue": "probe"}, "versioning": {"enabled": True, "deploymentName": "shop"}})
    pod, files = only(objects, "Pod", "-smoke"), only(objects, "ConfigMap", "-smoke")
    weights = {}
    for manifest in (pod, files):
        annotations = manifest["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "test"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"
        weights[manifest["kind"]] = int(annotations.get("helm.sh/hook-weight", 0))
    assert weights["ConfigMap"] < weights["Pod"], "the files are there before the pod"
    assert not POD_LABELS.items() <= pod["metadata"]["labels"].items(), "no Service and no budget counts it"
    names = {variable["name"] for variable in pod["spec"]["containers"][0]["env"]}
    assert "TEMPORAL_DEPLOYMENT_NAME" not in names, "it is not promoted, and would wait for ever"
    assert "task_queue: probe" in files["data"]["_index.yaml"]


def restricted(spec: Manifest) -> bool:
    """Whether a pod keeps to the level `restricted` of the Pod Security Standards."""
    profiles = [spec["securityContext"]["seccompProfile"]["type"]]
    volumes = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    contexts = [container["securityContext"] for container in [*spec.get("initContainers", []), *spec["containers"]]]
    return (
        profiles == ["RuntimeDefault"]
        and spec["securityContext"]["runAsNonRoot"] is True
        and spec["securityContext"]["runAsUser"] > 0
        and volumes <= {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "csi", "downwardAPI"}
        and not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        and all(context["capabilities"] == {"drop": ["ALL"]} for context in contexts)
        and all(context["allowPrivilegeEscalation"] is False for context in contexts)
    )


def test_pods_keep_to_the_restricted_level() -> None:
    objects = render({"application": {"source": "initContainer", "initContainer": {"image": "git-sync"}}})
    assert restricted(pod_of(objects)["spec"]) and restricted(only(objects, "Pod", "-smoke")["spec"])


def test_the_package_has_what_the_templates_read(tmp_path: Path) -> None:
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    [archive] = tmp_path.glob("*.tgz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    wanted = {
        "alerts/lua-fleet.yaml",
        "dashboards/lua-fleet.json",
        "files/smoke/run.sh",
        "values.schema.json",
        "README.md",
    }
    assert wanted <= names
    assert not [name for name in names if name.startswith("ci/")]
