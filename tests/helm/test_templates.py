"""What each template makes of its values."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import yaml
from chart_readme import readme
from helm_chart import CHART, ROOT, VALUE_SETS, container_of, env_of, helm, only, pod_of, render

import fleet
from fleet.check.inspection import inspect_app
from fleet.supervisor.settings import names, resolve

EVERYTHING = next(file for file in VALUE_SETS if file.stem.startswith("mtls-http"))
CLOUD = next(file for file in VALUE_SETS if file.stem.startswith("cloud"))
CONTROLLED = next(file for file in VALUE_SETS if file.stem.startswith("worker-controller"))
PINNED = next(file for file in VALUE_SETS if file.stem.startswith("git-sync"))


def settings_of(objects: list[dict[str, Any]]) -> str:
    text: str = only(objects, "ConfigMap", "-settings")["data"]["fleet.yaml"]
    return text


def test_the_chart_is_of_this_version() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == fleet.__version__


def test_every_value_of_the_schema_has_its_default_and_a_comment() -> None:
    text = (CHART / "values.yaml").read_text()

    def compare(schema: dict[str, Any], value: dict[str, Any], indent: str) -> None:
        for name, below in schema["properties"].items():
            if name == "global":
                continue
            assert name in value
            if "properties" in below:
                compare(below, value[name], indent + "  ")
            else:
                assert re.search(rf"^{indent}# -- .+\n{indent}{name}:", text, re.MULTILINE), name

    compare(json.loads((CHART / "values.schema.json").read_text()), yaml.safe_load(text), "")


def test_the_readme_has_the_values() -> None:
    assert (CHART / "README.md").read_text() == readme(), "python tests/helm/chart_readme.py"


def test_the_fleet_takes_its_settings(tmp_path: Path) -> None:
    for file in VALUE_SETS:
        path = tmp_path / "fleet.yaml"
        path.write_text(settings_of(render(file=file)))
        settings, _ = resolve({}, {}, path)
        spec = pod_of(render(file=file))["spec"]
        stop = container_of(render(file=file)).get("lifecycle")
        before = int(stop["preStop"]["exec"]["command"][1]) if stop else 0
        assert before + settings.termination_grace == spec["terminationGracePeriodSeconds"]


def test_the_settings_that_are_values_of_the_chart_exist() -> None:
    written = yaml.safe_load(settings_of(render()))
    assert set(written) <= set(names())


def test_a_changed_setting_or_file_rolls_the_pods() -> None:
    def annotations(**values: Any) -> dict[str, str]:
        found: dict[str, str] = pod_of(render(values))["metadata"]["annotations"]
        return found

    def files(text: str) -> dict[str, Any]:
        return {"source": "configMap", "configMap": {"files": {"_index.yaml": text}}}

    assert annotations() != annotations(fleet={"settings": {"hung_after": "20s"}})
    assert annotations(application=files("a")) != annotations(application=files("b"))
    assert annotations() == annotations(replicaCount=3), "more pods are no reason to replace those that there are"


def test_probes_ask_the_supervisor() -> None:
    container = container_of(render({"metrics": {"port": 9700}}))
    assert {"name": "metrics", "containerPort": 9700} in container["ports"]
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}


def test_where_the_supervisor_listens() -> None:
    assert 'listen: "0.0.0.0:9600"' in settings_of(render())
    assert 'listen: "[::]:9700"' in settings_of(render({"metrics": {"host": "::", "port": 9700}}))


def test_the_grace_period_is_computed() -> None:
    objects = render({"drain": {"workerSeconds": 100, "fleetSeconds": 120, "preStopSeconds": 10}})
    assert pod_of(objects)["spec"]["terminationGracePeriodSeconds"] == 140
    assert "termination_grace: 130s" in settings_of(objects)


def test_the_connection_with_an_api_key() -> None:
    container = container_of(render(file=CLOUD))
    assert (
        env_of(container).items()
        >= {
            "TEMPORAL_ADDRESS": "us-east-1.aws.api.temporal.io:7233",
            "TEMPORAL_NAMESPACE": "shop.a1b2c",
            "TEMPORAL_TLS": "true",
            "TEMPORAL_API_KEY_FILE": "/etc/temporal/api-key/api-key",
        }.items()
    )
    assert {"name": "temporal-api-key", "mountPath": "/etc/temporal/api-key", "readOnly": True} in container[
        "volumeMounts"
    ]


def test_the_connection_with_mutual_tls() -> None:
    objects = render(file=EVERYTHING)
    assert (
        env_of(container_of(objects)).items()
        >= {
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/etc/temporal/ca/ca.crt",
            "TEMPORAL_TLS_CLIENT_CERT_PATH": "/etc/temporal/client/tls.crt",
            "TEMPORAL_TLS_CLIENT_KEY_PATH": "/etc/temporal/client/tls.key",
        }.items()
    )
    secrets = [v["secret"]["secretName"] for v in pod_of(objects)["spec"]["volumes"] if "secret" in v]
    assert secrets == ["temporal-ca", "temporal-client", "certs"]


def test_versioning_is_off_unless_asked_for() -> None:
    assert "TEMPORAL_DEPLOYMENT_NAME" not in env_of(container_of(render()))
    assert (
        env_of(container_of(render(file=EVERYTHING))).items()
        >= {
            "TEMPORAL_DEPLOYMENT_NAME": "shop",
            "TEMPORAL_WORKER_BUILD_ID": "v7",
            "TEMPORAL_DEFAULT_VERSIONING_BEHAVIOR": "auto_upgrade",
        }.items()
    )


def test_the_worker_controller_makes_the_pods_in_place_of_a_deployment() -> None:
    objects = render(file=CONTROLLED)
    assert "Deployment" not in {o["kind"] for o in objects}
    made = only(objects, "WorkerDeployment")
    assert made["apiVersion"] == "temporal.io/v1alpha1"
    assert set(made["spec"]) == {
        "replicas",
        "minReadySeconds",
        "workerOptions",
        "rollout",
        "sunset",
        "template",
    }
    assert made["spec"]["workerOptions"] == {"connectionRef": {"name": "temporal"}, "temporalNamespace": "shop"}
    assert made["spec"]["sunset"] == {"scaledownDelay": "1h", "deleteDelay": "24h"}
    assert env_of(container_of(objects))["TEMPORAL_DEFAULT_VERSIONING_BEHAVIOR"] == "pinned"
    given_by_the_controller = {"TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"}
    assert given_by_the_controller.isdisjoint(env_of(container_of(objects)))
    older = {"enabled": True, "connection": "temporal", "kind": "TemporalWorkerDeployment"}
    assert only(render({"versioning": {"workerController": older}}), "TemporalWorkerDeployment")


def test_an_application_of_a_config_map_keeps_its_paths() -> None:
    objects = render(file=CLOUD)
    assert only(objects, "ConfigMap", "-application")["data"]["lib__tax.lua"] == "return {}\n"
    [volume] = [v for v in pod_of(objects)["spec"]["volumes"] if v["name"] == "application"]
    assert {"key": "lib__tax.lua", "path": "lib/tax.lua"} in volume["configMap"]["items"]


def test_an_application_of_a_config_map_that_exists() -> None:
    objects = render({"application": {"source": "configMap", "configMap": {"name": "mine"}}})
    [volume] = [v for v in pod_of(objects)["spec"]["volumes"] if v["name"] == "application"]
    assert volume["configMap"] == {"name": "mine"}


def test_an_application_of_an_init_container() -> None:
    objects = render(file=PINNED)
    assert container_of(objects)["args"][1] == "/app/current"
    [init] = pod_of(objects)["spec"]["initContainers"]
    assert init["volumeMounts"][0] == {"name": "application", "mountPath": "/application"}


def test_the_qos_class_is_guaranteed_when_workers_are_pinned() -> None:
    objects = render(file=PINNED)
    assert 'pin: "on"' in settings_of(objects)
    spec = pod_of(objects)["spec"]
    for container in [*spec["containers"], *spec["initContainers"]]:
        resources = container["resources"]
        assert set(resources["limits"]) >= {"cpu", "memory"}
        assert resources.get("requests", resources["limits"]) == resources["limits"], container["name"]


def test_the_defaults_of_a_rolling_update_do_not_outlive_it() -> None:
    spec = only(render({"strategy": {"type": "Recreate"}}), "Deployment")["spec"]
    assert spec["strategy"] == {"type": "Recreate"}, "an API server refuses rollingUpdate with it"


def test_selectors_survive_an_upgrade_of_chart_image_and_values() -> None:
    """Selectors of a Deployment are immutable: whatever a release may change must not be in them."""
    before = only(render(), "Deployment")["spec"]["selector"]
    assert only(render(file=EVERYTHING), "Deployment")["spec"]["selector"] == before
    tagged = render({"image": {"tag": "v2"}, "commonLabels": {"team": "a"}, "podLabels": {"cost": "b"}})
    assert only(tagged, "Deployment")["spec"]["selector"] == before
    assert set(before["matchLabels"].values()) == {"lua-fleet", "shop", "fleet"}


def test_an_autoscaler_alone_says_how_many_pods_there_are() -> None:
    assert only(render({"replicaCount": 3}), "Deployment")["spec"]["replicas"] == 3
    for file in (EVERYTHING, CLOUD):
        assert "replicas" not in only(render(file=file), "Deployment")["spec"]


def test_alerts_lead_to_what_to_do() -> None:
    url = "https://docs.example/metrics.md"
    values = {"metrics": {"prometheusRule": {"enabled": True, "runbookUrl": url}}}
    headings = re.findall(r"^### (.+)$", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    anchors = {heading.lower() for heading in headings}
    for group in only(render(values), "PrometheusRule")["spec"]["groups"]:
        for rule in group["rules"]:
            base, _, anchor = rule["annotations"]["runbook_url"].partition("#")
            assert base == url and anchor in anchors


def test_notes() -> None:
    def notes(values: Any) -> str:
        done = helm("install", "shop", str(CHART), "--dry-run=client", "--hide-secret", values=values)
        done = done if done.returncode == 0 else helm("install", "shop", str(CHART), "--dry-run=client", values=values)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:")[2]

    assert "Workers are not pinned" in notes({})
    assert "set-current-version --deployment-name shop" in notes(
        {"versioning": {"enabled": True, "deploymentName": "shop"}}
    )
    assert "while that pod moves to another node" in notes({"replicaCount": 1})
    controller = {"versioning": {"workerController": {"enabled": True, "connection": "temporal"}}}
    assert "get workerdeployment shop-lua-fleet" in notes(controller)
    assert "rollout status deployment/shop-lua-fleet" not in notes(controller)


def test_keda_scales_by_task_queues_and_by_metrics() -> None:
    spec = only(render(file=CLOUD), "ScaledObject")["spec"]
    queue, metric = spec["triggers"]
    assert queue["type"] == "temporal" and metric["type"] == "prometheus"
    assert queue["metadata"]["taskQueue"] == "orders" and queue["authenticationRef"] == {"name": "temporal"}
    assert all(isinstance(value, str) for trigger in spec["triggers"] for value in trigger["metadata"].values())


def test_the_network_policy_lets_temporal_out() -> None:
    spec = only(render(file=EVERYTHING), "NetworkPolicy")["spec"]
    assert {"ports": [{"port": 7233}]} in spec["egress"]
    assert spec["ingress"][0]["from"][0]["namespaceSelector"]


def test_alerts_and_dashboards_are_those_of_the_files() -> None:
    objects = render(file=EVERYTHING)
    groups = [g for f in sorted((CHART / "alerts").glob("*.yaml")) for g in yaml.safe_load(f.read_text())["groups"]]
    assert only(objects, "PrometheusRule")["spec"]["groups"] == groups
    boards = {file.name: json.loads(file.read_text()) for file in (CHART / "dashboards").glob("*.json")}
    data = only(objects, "ConfigMap", "-dashboards")["data"]
    assert {name: json.loads(text) for name, text in data.items()} == boards != {}


def test_extra_objects_are_templates() -> None:
    names = {o["metadata"]["name"] for o in render(file=EVERYTHING)}
    assert {"shop-extra", "shop-lua-fleet-more"} <= names


def test_the_application_of_the_documentation_can_be_served(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    [block] = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "_index.yaml" in block]
    values = yaml.safe_load(block)
    assert "greet.lua" in only(render(values), "ConfigMap", "-application")["data"]
    for path, content in values["application"]["configMap"]["files"].items():
        (tmp_path / path).write_text(content.replace("${env:TEMPORAL_ADDRESS}", "127.0.0.1:7233"))
    inspection = inspect_app(tmp_path)
    assert inspection.runnable and not inspection.problems


def test_the_helm_commands_of_the_documentation(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    [block] = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "_index.yaml" in block]
    (tmp_path / "shop.yaml").write_text(block)
    commands = re.findall(r"^helm install (\S+ helm/lua-fleet .*)$", text, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        done = helm("template", *shlex.split(command.replace("shop.yaml", str(tmp_path / "shop.yaml"))))
        assert done.returncode == 0, done.stderr
        objects = [o for o in yaml.safe_load_all(done.stdout) if o]
        assert {o["metadata"]["namespace"] for o in objects} == {"shop"}
        versioned = "TEMPORAL_WORKER_BUILD_ID" in env_of(container_of(objects))
        assert versioned == ("buildId=v8" in command)
        smoke = only(objects, "Pod", "-smoke")["metadata"]["name"]
        assert smoke == f"{command.split()[0]}-lua-fleet-smoke"


def test_what_is_off_by_default() -> None:
    kinds = sorted(o["kind"] for o in render({"test": {"enabled": False}}))
    assert kinds == ["ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "ServiceAccount"]
