"""The chart, rendered by the real Helm."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "lua-fleet"
VALUE_SETS = sorted((CHART / "ci").glob("*-values.yaml"))
NAMESPACE = "prod"

Manifest = dict[str, Any]


@functools.cache
def program() -> str:
    """The path of helm; skips the test without it, except in CI."""
    path = shutil.which("helm", path=f"{ROOT / 'build' / 'tools'}{os.pathsep}{os.environ['PATH']}")
    if path is None:
        reason = "helm is missing: make helm"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return path


def helm(*args: str, values: Any = None) -> subprocess.CompletedProcess[str]:
    """`helm ARGS` with `values` over those of the chart."""
    more = [] if values is None else ["--values", "-"]
    return subprocess.run(
        [program(), *args, *more], input=json.dumps(values), capture_output=True, text=True, timeout=60, cwd=ROOT
    )


def render(values: Any = None, *, file: Path | None = None) -> list[Manifest]:
    """All objects of a release named "shop"."""
    documents = yaml.load_all(_rendered(json.dumps(values), file), yaml.CSafeLoader)
    return [document for document in documents if document]


@functools.lru_cache(maxsize=32)
def _rendered(values: str, file: Path | None) -> str:
    files = ["--values", str(file)] if file is not None else []
    done = helm("template", "shop", str(CHART), "--namespace", NAMESPACE, *files, values=json.loads(values))
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(values: Any) -> str:
    """The message with which these values are refused."""
    return _refused(json.dumps(values))


@functools.cache
def _refused(values: str) -> str:
    done = helm("template", "shop", str(CHART), values=json.loads(values))
    assert done.returncode != 0, "the values were not refused"
    return done.stderr


def only(objects: list[Manifest], kind: str, suffix: str = "") -> Manifest:
    """The only object of a kind whose name ends so."""
    [found] = [o for o in objects if o["kind"] == kind and o["metadata"]["name"].endswith(suffix)]
    return found


def workload_of(objects: list[Manifest]) -> Manifest:
    """What makes the pods of the fleet."""
    [found] = [o for o in objects if o["kind"] in ("Deployment", "WorkerDeployment")]
    return found


def pod_of(objects: list[Manifest]) -> Manifest:
    """The pod template of the fleet."""
    template: Manifest = workload_of(objects)["spec"]["template"]
    return template


def container_of(objects: list[Manifest]) -> Manifest:
    """The container of the fleet."""
    container: Manifest = pod_of(objects)["spec"]["containers"][0]
    return container


def env_of(container: Manifest) -> dict[str, str]:
    """Its environment."""
    return {variable["name"]: variable["value"] for variable in container["env"]}
