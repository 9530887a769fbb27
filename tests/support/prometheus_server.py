"""Prometheus as Debian packages it: its server on a target, its promtool; and reading a page of metrics."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

LIMIT = 60.0
"""Seconds that anything may take: only a failing test waits so long."""


def debian_program(name: str) -> str:
    """The path of a program of Debian's package prometheus; skips the test without it, except in CI."""
    path = shutil.which(name)
    if path is None:
        reason = f"{name} is missing: make prometheus"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return path


def check_page(page: bytes) -> None:
    """Fail the test when `promtool check metrics` finds something in a page."""
    command = [debian_program("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=page, capture_output=True, timeout=LIMIT)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    """Values by (name, label=value, ...), labels in order of their names."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


class Prometheus:
    """A running Prometheus server."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        url = f"{self._url}/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=LIMIT) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        series: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return series

    def value(self, expression: str) -> float:
        """The value of an expression that gives at most one series; 0 without one."""
        series = self.query(expression)
        assert len(series) <= 1, series
        return float(series[0]["value"][1]) if series else 0.0

    def until(self, expression: str, wanted: Callable[[float], bool]) -> float:
        """Wait for a value."""
        deadline = time.monotonic() + LIMIT
        while not wanted(value := self.value(expression)):
            assert time.monotonic() < deadline, f"{expression} is still {value}"
            time.sleep(0.1)
        return value


@contextmanager
def prometheus(home: Path, port: int, target: str, rules: Sequence[Path] = ()) -> Iterator[Prometheus]:
    """A Prometheus server on `port` that scrapes `target` twice a second."""
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [{"job_name": "fleet", "static_configs": [{"targets": [target]}]}],
    }
    (home / "prometheus.yml").write_text(yaml.safe_dump(config))
    log = home / "prometheus.log"
    command = [debian_program("prometheus"), f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/tsdb"]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + LIMIT
        while not _is_ready(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(LIMIT)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=LIMIT):
            return True
    except OSError:
        return False
