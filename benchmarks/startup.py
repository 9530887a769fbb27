"""From the start of `fleet supervise` to ready, and on to the first activation. Usage: make bench-startup.

A server runs already; each round is a new supervisor with one worker. "ready" is when `/readyz` says so. The first
workflow is started right then: its activations and its activity are the first that the worker ever sees, and the second
workflow shows what of its time was the cold start. CPU is that of supervisor and worker for all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from history import TASK_QUEUE, WORKFLOW
from temporalio.client import Client

from fleet.cli.exit import leave
from fleet.server import EmbeddedServer

HERE = Path(__file__).resolve().parent
RESULT = HERE.parent / "build" / "startup.json"
STEPS = ("ready", "first workflow", "second workflow", "CPU")
PATIENCE = 60.0


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_ready(url: str) -> bool:
    """Does the probe say yes?"""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def cpu_of_children() -> float:
    """Seconds of CPU of all children that have ended, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def run_workflow(client: Client) -> float:
    """Seconds that one workflow of one activity and one timer takes."""
    began = time.perf_counter()
    await client.execute_workflow(WORKFLOW, 1, id=f"startup-{uuid.uuid4()}", task_queue=TASK_QUEUE)
    return time.perf_counter() - began


async def one_round(address: str, client: Client, directory: str) -> dict[str, float]:
    """Start, measure, end; seconds of each step."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "fleet", "supervise", str(HERE / "app"), "--workers", "1"),
        *("--listen", f"127.0.0.1:{port}", "--control-socket", f"{directory}/control", "--log-level", "warning"),
    ]
    cpu, began = cpu_of_children(), time.perf_counter()
    supervisor = subprocess.Popen(command, env={**os.environ, "TEMPORAL_ADDRESS": address})
    try:
        while not await asyncio.to_thread(is_ready, f"http://127.0.0.1:{port}/readyz"):
            if supervisor.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise SystemExit("the fleet does not become ready")
            await asyncio.sleep(0.005)
        ready = time.perf_counter() - began
        first, second = await run_workflow(client), await run_workflow(client)
    finally:
        supervisor.send_signal(signal.SIGTERM)
        await asyncio.to_thread(supervisor.wait)
    return dict(zip(STEPS, (ready, first, second, cpu_of_children() - cpu), strict=True))


async def measure(rounds: int) -> list[dict[str, float]]:
    """All rounds, after one that is not counted: it compiles the Python files."""
    async with EmbeddedServer.start() as server:
        client = await Client.connect(server.address)
        with tempfile.TemporaryDirectory() as directory:
            return [await one_round(server.address, client, directory) for _ in range(rounds + 1)][1:]


def main() -> None:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often to start a fleet (default: %(default)s)")
    rounds = asyncio.run(measure(parser.parse_args().rounds))
    print(f"{'seconds':<16}{'median':>8}{'best':>8}{'worst':>8}")
    for step in STEPS:
        times = [one[step] for one in rounds]
        print(f"{step:<16}{statistics.median(times):>8.3f}{min(times):>8.3f}{max(times):>8.3f}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"python": platform.python_version(), "rounds": rounds}, indent=1))
    sys.stdout.flush()
    leave(0)


if __name__ == "__main__":
    main()
