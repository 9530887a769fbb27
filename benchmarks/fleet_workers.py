"""What a second worker process adds: the same CPU-bound activities on fleets of one and of two workers, in turns.

Usage: make bench-fleet. Told is the time from the begin of the first activity to the end of the last one, as the
workers saw it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from temporalio.client import Client

from fleet.cli.exit import leave
from fleet.server import EmbeddedServer

ACTIVITIES = 150

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


async def measure(address: str, app: Path, workers: int) -> float:
    """Seconds that a fleet of `workers` takes."""
    command = (
        *(sys.executable, "-m", "fleet", "supervise", str(app), "--workers", str(workers), "--scaling", "off"),
        *("--listen", "off", "--control-socket", str(app / "control.sock"), "--log-format", "json"),
    )
    fleet = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "TEMPORAL_ADDRESS": address}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert fleet.stderr is not None
    try:
        serving = 0
        async for line in fleet.stderr:
            serving += json.loads(line)["event"] == "ready"
            if serving == workers:
                break
        client = await Client.connect(address)
        seconds: float = await client.execute_workflow(
            "app:fan_out", ACTIVITIES, id=f"bench-{uuid.uuid4()}", task_queue="bench"
        )
        return seconds
    finally:
        fleet.terminate()
        await fleet.communicate()


async def main(passes: int) -> None:
    """Measure in turns, and print the ratio."""
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two workers need two CPUs, and this process may use one")
    times: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as directory:
        write_app(Path(directory))
        async with EmbeddedServer.start() as server:
            for number in range(passes):
                for workers in (1, 2) if number % 2 == 0 else (2, 1):
                    times[workers].append(await measure(server.address, Path(directory), workers))
    one, two = (statistics.median(times[workers]) for workers in (1, 2))
    ratios = [a / b for a, b in zip(times[1], times[2], strict=True)]
    print(f"{ACTIVITIES} activities that compute, {passes} passes, load {os.getloadavg()[0]:.1f}")
    print(f"  1 worker   {one:6.2f} s")
    print(f"  2 workers  {two:6.2f} s   {one / two:.2f} x ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=5, help="how often to measure (default: %(default)s)")
    asyncio.run(main(parser.parse_args().passes))
    leave(0)
