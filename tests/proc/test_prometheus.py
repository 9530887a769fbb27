"""A real Prometheus on a real fleet: totals while workers are killed, every query of dashboard and alerts."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helm_chart import only, render
from prometheus_server import Prometheus, check_page, prometheus, samples
from supervised import Start, Supervised, free_port, until
from temporalio.client import Client, WorkflowHandle

HELM = Path(__file__).parents[2] / "helm/lua-fleet"
STEPS = 5
DONE = 'sum(fleet_activity_executions_total{entry="app:append", result="completed"})'
RUNS = "sum(temporal_workflow_completed_total)"
COUNTERS = (
    "fleet_activity_executions_total",
    "fleet_activity_execution_seconds_count",
    "fleet_workflow_activations_total",
    "fleet_workflow_activation_seconds_sum",
    "fleet_codec_bytes_total",
    "fleet_worker_cpu_seconds_total",
    "fleet_worker_restarts_total",
    "temporal_request_total",
    "temporal_workflow_completed_total",
)

HTTP = """\
  - {{name: http, kind: http.service, addr: "127.0.0.1:{port}", lifecycle: {{auto_start: true}}}}
  - {{name: router, kind: http.router, meta: {{server: "app:http"}}, prefix: /}}
  - {{name: get, kind: http.endpoint, meta: {{router: "app:router"}}, method: GET, path: /page, func: "app:append"}}
"""


class Load:
    """Starts workflows of the test application and waits for them."""

    def __init__(self, client: Client, queue: str) -> None:
        self._client = client
        self._queue = queue
        self._begun = 0

    async def begin(self, count: int, pause: str = "1ms") -> list[WorkflowHandle[Any, Any]]:
        """Start so many runs."""
        self._begun += count
        order = {"steps": STEPS, "pause": pause}
        ids = [f"{self._queue}-{number}" for number in range(self._begun - count, self._begun)]
        return [await self._client.start_workflow("app:flow", order, id=id, task_queue=self._queue) for id in ids]

    async def run(self, count: int) -> None:
        """Run so many to their end."""
        for handle in await self.begin(count):
            assert (await handle.result())["total"] == sum(range(1, STEPS + 1))


@pytest.fixture
def served(app: Path, start: Start, tmp_path: Path) -> Iterator[tuple[Supervised, Prometheus, str]]:
    """A fleet of two workers with HTTP, scraped; and the URL of its metrics."""
    index = app / "_index.yaml"
    activity = "{temporal: {activity: {worker: worker}}"
    assert activity in index.read_text()
    # Soon tried again when its worker was killed.
    shorter = activity + ', options: {"activity.start_to_close_timeout": 3s}'
    index.write_text(index.read_text().replace(activity, shorter) + HTTP.format(port=free_port()))
    target = f"127.0.0.1:{free_port()}"
    fleet = start(workers="2", listen=target).wait_ready(2)
    with prometheus(tmp_path, free_port(), target, [HELM / "alerts/lua-fleet.yaml"]) as server:
        yield fleet, server, f"http://{target}/metrics"


def kill_worker(fleet: Supervised, slot: int) -> None:
    """kill -9, and wait until the slot serves again."""
    pid = fleet.status()["workers"][slot]["pid"]
    os.kill(pid, signal.SIGKILL)
    fleet.until(lambda: fleet.status()["workers"][slot]["pid"] not in (0, pid))
    fleet.wait_ready(2)


async def test_totals_survive_kills(
    served: tuple[Supervised, Prometheus, str], server_address: str, tmp_path: Path
) -> None:
    fleet, server, url = served
    load = Load(await Client.connect(server_address), tmp_path.name)
    await load.run(10)
    for expression, total in ((DONE, 10 * STEPS), (RUNS, 10)):
        await asyncio.to_thread(server.until, expression, lambda value, total=total: value == total)
    pollers = 'sum(temporal_num_pollers{poller_type="activity_task"})'
    activations = server.value("sum(fleet_workflow_activations_total)")

    # Idle workers: nothing is in hand, so that nothing may change.
    for slot in (0, 1, 0):
        await asyncio.to_thread(kill_worker, fleet, slot)
    restarts = 'sum(fleet_worker_restarts_total{reason="signal"})'
    await asyncio.to_thread(server.until, restarts, lambda value: value == 3)
    assert (server.value(DONE), server.value(RUNS)) == (10 * STEPS, 10)
    assert server.value("sum(fleet_workflow_activations_total)") == activations
    await load.run(10)
    await asyncio.to_thread(server.until, DONE, lambda value: value == 20 * STEPS)
    await asyncio.to_thread(server.until, pollers, lambda value: 0 < value <= 2 * 2 * 100)

    # Under load what was in hand is done again: more by what a worker has in hand at most, never less.
    handles = await load.begin(40, pause="100ms")
    for slot in (0, 1):
        await asyncio.to_thread(kill_worker, fleet, slot)
    for handle in handles:
        await handle.result()
    total = await asyncio.to_thread(server.until, DONE, lambda value: value >= 60 * STEPS)
    assert total <= 60 * STEPS + 2 * 40
    page = urllib.request.urlopen(url).read()
    check_page(page)
    for counter in COUNTERS:
        series = server.query(f"{counter}[1h]")
        assert series, counter
        for one in series:
            values = [float(value) for _, value in one["values"]]
            assert values == sorted(values), one["metric"]
        assert all(float(one["value"][1]) >= 0 for one in server.query(f"rate({counter}[1m])"))
    found = samples(page)
    assert found["fleet_slots", "state=ready"] == 2
    assert {key for key in found if key[0] == "fleet_worker_tasks_in_flight"} == {
        ("fleet_worker_tasks_in_flight", f"slot={slot}") for slot in (0, 1)
    }


async def test_every_query_has_an_answer(
    served: tuple[Supervised, Prometheus, str], server_address: str, tmp_path: Path, app: Path
) -> None:
    fleet, server, _ = served
    load = Load(await Client.connect(server_address), tmp_path.name)
    await load.run(5)
    fleet.process.send_signal(signal.SIGHUP)
    await asyncio.to_thread(fleet.until, lambda: fleet.events("reloaded"))
    await load.run(5)
    done = 'sum(fleet_reloads_total{result="done"})'
    await asyncio.to_thread(server.until, done, lambda value: value == 1)
    await asyncio.to_thread(server.until, DONE, lambda value: value == 10 * STEPS)
    panels = json.loads((HELM / "dashboards/lua-fleet.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(expressions) > 30
    replaced = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*"}
    for expression in expressions:
        for variable, value in replaced.items():
            expression = expression.replace(variable, value)
        until(lambda expression=expression: server.query(expression), lambda expression=expression: expression)
    assert server.value("sum(rate(fleet_activity_executions_total[1m]))") > 0
    assert not math.isnan(server.value("histogram_quantile(0.5, sum by (le) (fleet_worker_drain_seconds_bucket))"))
    rules = [rule for group in server.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    assert not [rule["name"] for rule in rules if rule["state"] == "firing"]
    # Last, for without Helm the test is skipped here: what KEDA asks, of all pods that there are.
    keda = {"enabled": True, "load": {"serverAddress": "http://prometheus:9090"}}
    [trigger] = only(render({"keda": keda}), "ScaledObject")["spec"]["triggers"]
    query = re.sub(r'\{namespace="[^"]+",pod=~"[^"]+"\}', "", trigger["metadata"]["query"])
    assert len(server.query(query)) == 1


async def test_a_fleet_that_ends_or_is_killed_leaves_no_files(start: Start) -> None:
    def files() -> set[Path]:
        return {path for path in Path("/dev/shm").glob("lua-fleet-metrics-*") if f"-{fleet.process.pid}-" in path.name}

    for number in (signal.SIGTERM, signal.SIGKILL):
        fleet = start(workers="2", listen=f"127.0.0.1:{free_port()}").wait_ready(2)
        assert len(files()) == 1
        fleet.stop(number)
        until(lambda: not files())
