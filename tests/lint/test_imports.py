"""What a command does not need it does not import: `fleet --help` answers before temporalio would be there."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"temporalio", "google.protobuf", "grpc", "aiohttp", "cryptography", "fleet._core", "lupa", "jsonschema"}

WITHOUT = {
    "fleet": {*HEAVY, "yaml", "rich", "asyncio", "prometheus_client", "fleet.registry"},
    "fleet.cli.main": {*HEAVY, "yaml", "rich", "asyncio", "prometheus_client", "fleet.registry"},
    "fleet.cli.status": {*HEAVY, "asyncio", "prometheus_client"},
    "fleet.cli.check": HEAVY - {"fleet._core", "lupa"},
    "fleet.supervisor.supervisor": {*HEAVY, "asyncio", "rich"},
    "fleet.worker.process": {"aiohttp", "cryptography", "jsonschema", "rich"},
}


@pytest.mark.parametrize("module", WITHOUT)
def test_heavy_modules_are_not_imported(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set({sorted(WITHOUT[module])!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
