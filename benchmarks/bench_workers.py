"""What a second worker process adds: the same CPU-bound activities on fleets of two workers and of one.

Their time by the wall is from the begin of the first to the end of the last, as the workers saw it. CPU time is that of
the worker processes. The server shares the CPUs with them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Spent
from cpus import allowed, cpu_seconds, on_cpus
from temporalio.client import Client

from fleet.server import EmbeddedServer

GROUP = "scaling: activities that compute, on one worker and on two"
ACTIVITIES = 100

INDEX = """\
version: "1.0"
namespace: app
entries:
  - {name: temporal, kind: temporal.client, address: "127.0.0.1:1"}
  - {name: worker, kind: temporal.worker, client: "app:temporal", task_queue: bench}
  - name: fan_out
    kind: workflow.lua
    source: file://fan_out.lua
    modules: [funcs]
    meta: {temporal: {workflow: {worker: worker}}}
  - name: compute
    kind: function.lua
    source: file://compute.lua
    method: main
    modules: [time]
    meta: {temporal: {activity: {worker: worker}}}
"""

FAN_OUT = """\
local function main(count)
    local futures, first, last = {}, math.maxinteger, 0
    for i = 1, count do futures[i] = funcs.async("app:compute", i) end
    for i = 1, count do
        local span = futures[i]:response():receive():data()
        first, last = math.min(first, span[1]), math.max(last, span[2])
    end
    return (last - first) / 1e9
end
return { main = main }
"""

COMPUTE = """\
local function main(seed)
    local began, x = time.now():unix_nano(), seed
    for i = 1, 3000000 do x = (x * 1103515245 + 12345) % 2147483648 end
    return {began, time.now():unix_nano(), x}
end
return { main = main }
"""


def write_app(root: Path) -> None:
    """The application of the benchmark."""
    for name, text in (("_index.yaml", INDEX), ("fan_out.lua", FAN_OUT), ("compute.lua", COMPUTE)):
        (root / name).write_text(text)


async def run_on(address: str, app: Path, workers: int) -> Spent:
    """What all activities take on a fleet of `workers`."""
    command = (
        *(sys.executable, "-m", "fleet", "supervise", str(app), "--workers", str(workers), "--scaling", "off"),
        *("--listen", "off", "--control-socket", str(app / "control.sock"), "--log-format", "json"),
    )
    fleet = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "TEMPORAL_ADDRESS": address}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert fleet.stderr is not None
    try:
        pids: list[int] = []
        async for line in fleet.stderr:
            if (event := json.loads(line)).get("event") == "ready":
                pids.append(event["pid"])
                if len(pids) == workers:
                    break
        client = await Client.connect(address)
        before = sum(map(cpu_seconds, pids))
        seconds: float = await client.execute_workflow(
            "app:fan_out", ACTIVITIES, id=f"bench-{uuid.uuid4()}", task_queue="bench"
        )
        return Spent(sum(map(cpu_seconds, pids)) - before, seconds)
    finally:
        fleet.terminate()
        await fleet.communicate()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if len(allowed()) < 2:
        pytest.skip("two workers need two CPUs, and this process may use one")
    with on_cpus(allowed()), asyncio.Runner() as runner:
        server = EmbeddedServer.start()
        yield runner.run(server.__aenter__()).address
        runner.run(server.__aexit__(None, None, None))


@pytest.mark.parametrize("workers", (2, 1))
def test_workers(measure: Any, address: str, tmp_path: Path, workers: int) -> None:
    write_app(tmp_path)
    measure(
        GROUP,
        "fleet, two workers" if workers == 2 else "fleet, one worker",
        lambda: asyncio.run(run_on(address, tmp_path, workers)),
        operations=ACTIVITIES,
        rounds=1,
        warmup=0,
        baseline=workers == 2,
    )
