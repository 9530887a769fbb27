"""The alert rules and the dashboard: they hold together with each other, with the code and with docs/metrics.md."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_server import debian_program

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm/lua-fleet/alerts/lua-fleet.yaml"
DASHBOARD = ROOT / "helm/lua-fleet/dashboards/lua-fleet.json"
DOCUMENT = (ROOT / "docs/metrics.md").read_text()
FLEET_METRIC = re.compile(r"\bfleet_[a-z_]+")


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> Iterator[dict[str, Any]]:
    """The panels that show something."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


def base(name: str) -> str:
    """A family's name, of that of one of its samples."""
    return re.sub(r"_(bucket|count|sum)$", "", name)


def test_promtool_runs_the_rule_tests() -> None:
    command = [debian_program("promtool"), "test", "rules", "alerts.yaml"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tested_firing_and_quiet() -> None:
    cases = [
        case
        for test in yaml.safe_load((Path(__file__).parent / "alerts.yaml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    for rule in rules():
        outcomes = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == rule["alert"]}
        assert outcomes == {True, False}, rule["alert"]


def test_each_alert_says_who_is_woken_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert f"### {rule['alert']}\n" in DOCUMENT


def test_what_rules_and_dashboard_ask_for_is_documented() -> None:
    asked = [rule["expr"] for rule in rules()]
    asked += [target["expr"] for panel in panels() for target in panel["targets"]]
    documented = set(FLEET_METRIC.findall(DOCUMENT))
    for expression in asked:
        missing = {base(name) for name in FLEET_METRIC.findall(expression)} - documented
        assert not missing, expression


def test_what_the_code_declares_is_documented() -> None:
    declared = set()
    for path in [*(ROOT / "fleet/metrics").glob("*.py"), ROOT / "fleet/supervisor/metrics.py"]:
        declared |= set(re.findall(r'"(fleet_[a-z_]+)"', path.read_text()))
    documented = set(FLEET_METRIC.findall(DOCUMENT))
    missing = {name for name in declared if name not in documented and f"{name}_total" not in documented}
    assert declared
    assert not missing


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    places = [
        (x, y)
        for panel in panels()
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    numbers = [panel["id"] for panel in json.loads(DASHBOARD.read_text())["panels"]]
    assert len(numbers) == len(set(numbers))
