"""Puts the schemas of custom resources into a directory: ``python fetch_crds.py DIRECTORY``.

Neither KEDA nor the Prometheus operator is in a registry of packages. Two sets of packages are made of their custom
resource definitions: models in Python, which become JSON schemas that take no field which they do not know, as no API
server would say of one; and models in JavaScript, of newer versions, which know the rules for values.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WHEELS = ["cloudcoil-models-keda==2.16.1.0", "cloudcoil-models-prometheus-operator==0.80.1.0", "cloudcoil==0.6.0"]
NODE_PACKAGES = [
    "kubernetes-models@5.1.0",
    "@kubernetes-models/keda@2.0.0",
    "@kubernetes-models/prometheus-operator@6.0.0",
]

# Run by a Python that sees the wheels, which are never installed where the tests run: they bring a pytest plugin.
DUMP = """
import json
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus
kinds = [keda.ScaledObject, keda.TriggerAuthentication, prometheus.ServiceMonitor, prometheus.PodMonitor,
         prometheus.PrometheusRule]
print(json.dumps({kind.__name__: kind.model_json_schema() for kind in kinds}))
"""


def main(directory: Path) -> None:
    """Leave `directory`/crds.json and, where there is npm, `directory`/node_modules as they should be."""
    stamp = directory / "versions.json"
    versions = {"wheels": WHEELS, "node": NODE_PACKAGES if shutil.which("npm") else []}
    if stamp.exists() and json.loads(stamp.read_text()) == versions:
        return
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--target", folder, *WHEELS], check=True)
        dumped = subprocess.run(
            [sys.executable, "-c", DUMP], env={**os.environ, "PYTHONPATH": folder}, check=True, stdout=subprocess.PIPE
        )
    schemas = {kind: _closed(schema) for kind, schema in json.loads(dumped.stdout).items()}
    (directory / "crds.json").write_text(json.dumps(schemas))
    if versions["node"]:
        npm = ["npm", "install", "--prefix", str(directory), "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run([*npm, *NODE_PACKAGES], check=True)
    stamp.write_text(json.dumps(versions))


def _closed(schema: dict[str, object]) -> dict[str, object]:
    """The schema with no room for fields that it does not name."""
    definitions = schema.get("$defs", {})
    assert isinstance(definitions, dict)
    for part in [schema, *definitions.values()]:
        if "properties" in part:
            part.setdefault("additionalProperties", False)
    return schema


if __name__ == "__main__":
    main(Path(sys.argv[1]))
