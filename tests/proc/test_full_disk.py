"""Fleets whose disk is full, at the start and while they run: clear words, and no work is lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_server import samples
from small_disk import LOG_THERE, SmallDisk, on_small_disk
from supervised import Start, Supervised, free_port
from temporalio.client import Client

WAVE = 10
STEPS = 3


@contextmanager
def small_disk(fleet: Supervised, disk: Path) -> Iterator[SmallDisk]:
    """The disk of a fleet whose socket and log are on it."""
    small = SmallDisk(fleet, disk)
    try:
        fleet.socket = small.path / "control.sock"
        yield small
    finally:
        # Whoever cleans up has the log at hand.
        fleet.log.write_text("".join(f"{line}\n" for line in log_lines(small) if line.endswith("}")))
        small.close()


def log_lines(small: SmallDisk) -> list[str]:
    """The log, without the lines that the disk had room for in part: what another process wrote next is behind them."""
    lines = [line for line in small.log.splitlines() if line]
    return [line[max(line.rfind('{"event"'), line.rfind('{"time"'), 0) :] for line in lines]


def events(small: SmallDisk, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log_lines(small) if line.endswith("}")]
    return [line for line in lines if line.get("event") == event]


def metrics(port: int) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return samples(answer.read())


async def test_a_disk_that_fills_while_a_fleet_runs(start: Start, tmp_path: Path, server_address: str) -> None:
    disk, port = tmp_path / "disk", free_port()
    fleet = start(
        prefix=[*on_small_disk(disk, "5m"), *LOG_THERE],
        workers="1",
        control_socket=str(disk / "control.sock"),
        pid_file=str(disk / "pid"),
        listen=f"127.0.0.1:{port}",
        log_level="info",
    )
    client = await Client.connect(server_address)

    async def wave(number: int) -> None:
        """Workflows that are started now end, with what all of their activities have returned."""

        async def one(index: int) -> object:
            id = f"{tmp_path.name}-{number}-{index}"
            order = {"steps": STEPS, "activity": "20ms"}
            return await client.execute_workflow("app:flow", order, id=id, task_queue=tmp_path.name)

        ended = await asyncio.gather(*(one(index) for index in range(WAVE)))
        assert ended == [{"total": 6, "version": 1}] * WAVE

    with small_disk(fleet, disk) as small:
        await asyncio.to_thread(fleet.wait_ready, 1)
        await wave(1)
        small.fill()
        await wave(2)
        # What ends gives some space back, which is filled again each time.
        # The next process of a slot begins on the full disk, as does a slot of its own with files of its own.
        os.kill(fleet.pids()[0], signal.SIGKILL)
        small.fill()
        await wave(3)
        assert fleet.ask("scale", workers=2)["ok"]
        await asyncio.to_thread(fleet.wait_ready, 2)
        small.fill()
        (fleet.app / "flow.lua").write_text((fleet.app / "flow.lua").read_text().replace("version = 1", "version = 1 "))
        assert (await asyncio.to_thread(fleet.ask, "reload"))["ok"]
        small.fill()
        await wave(4)
        during = metrics(port)
        # Nothing but the one kill: no page of a file that has no block on the disk was ever written.
        assert [worker["restarts"] for worker in fleet.status()["workers"]] == [1, 0]
        small.empty()
        await wave(5)
        fleet.until(lambda: "lines of the log are missing here: No space left on device" in small.log)
        assert fleet.ask("scale", workers=1)["ok"]
        fleet.until(lambda: events(small, "ended"))

        def all_counted() -> bool:
            page = metrics(port)
            executions = page["fleet_activity_executions_total", "entry=app:append", "result=completed"]
            cpu = {key for key in page if key[0] == "fleet_worker_cpu_seconds_total"}
            return executions >= 5 * WAVE * STEPS and len(cpu) == 2

        fleet.until(all_counted)
        assert all(metrics(port)[key] >= value for key, value in during.items() if key[0].endswith("_total"))
        assert fleet.stop() == -signal.SIGTERM
        assert [line for line in log_lines(small) if not line.startswith("{")] == []
        assert events(small, "over")
        assert not {path.name for path in small.path.iterdir()} - {"log"}


@pytest.mark.parametrize(
    ("before", "settings", "message"),
    [
        (
            "head -c 1m /dev/zero >filler",
            {"pid_file": "pid"},
            "/pid: No space left on device\n    free some space there, or give another place",
        ),
        ("true", {"listen": "127.0.0.1:0"}, "the metrics need 2.2 MiB of space: /dev/shm has 1.0"),
    ],
    ids=["pid file", "metrics"],
)
def test_a_disk_that_is_full_at_the_start(
    start: Start, tmp_path: Path, before: str, settings: dict[str, str], message: str
) -> None:
    first = ["sh", "-c", f'{before}; "$@"; code=$?; ls -A; exit $code', "sh"]
    fleet = start(prefix=[*on_small_disk(tmp_path / "disk", "1m"), *first], workers="2", **settings)
    assert fleet.wait() == 3
    assert message in fleet.text
    # What is left there is listed last.
    assert fleet.text.rstrip().endswith(("another place\nfiller", "--listen off)")), fleet.text
    assert not fleet.socket.exists()
