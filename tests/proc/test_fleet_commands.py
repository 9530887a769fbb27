"""The commands that talk to a running fleet, and what it shows over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from supervised import ROOT, OddFleet, Start, free_port

Odd = Callable[..., OddFleet]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(app: Path, tmp_path: Path) -> Command:
    """Runs `fleet COMMAND` for the fleet of the test."""

    def command(*args: str) -> subprocess.CompletedProcess[str]:
        socket = str(tmp_path / "control.sock")
        return subprocess.run(
            [sys.executable, "-m", "fleet", *args, "--control-socket", socket],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        )

    return command


def get(url: str) -> tuple[int, str, str]:
    """Status, content type, body."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_status(odd: Odd, command: Command) -> None:
    fleet = odd({1: "fine"}).wait_ready(2)
    done = command("status", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert [worker["state"] for worker in status["workers"]] == ["ready", "ready"]
    table = command("status").stdout
    assert "ready: 2 of 2 workers serve, generation 1" in table
    assert all(str(pid) in table for pid in fleet.pids())


def test_top_in_a_pipe_prints_once(odd: Odd, command: Command) -> None:
    odd({1: "fine"}).wait_ready(2)
    done = command("top", "--interval", "0.2")
    assert done.returncode == 0 and "\x1b" not in done.stdout
    assert "cpu use" in done.stdout and " %" in done.stdout
    assert "worker 1 serves after" in done.stdout


def test_scale_reload_and_drain(odd: Odd, command: Command, tmp_path: Path) -> None:
    fleet = odd({1: "fine", 2: "fine"}).wait_ready(2)
    assert command("scale", "1").stderr == "1 workers are to serve\n"
    fleet.wait_ready(1)
    done = command("reload")
    assert (done.returncode, done.stderr) == (0, "all workers serve the new code\n")
    assert fleet.status()["generation"] == 2
    (tmp_path / "problems").write_text("flow.lua:1: wrong")
    done = command("reload")
    assert (done.returncode, done.stderr) == (1, "error: flow.lua:1: wrong\n")
    done = command("release", "abc")
    assert (done.returncode, done.stderr) == (1, "error: the run is not in quarantine\n")
    done = command("drain")
    assert (done.returncode, done.stderr) == (0, "the fleet has ended\n")
    assert fleet.wait() == 0


def test_without_a_fleet(command: Command) -> None:
    done = command("status")
    assert done.returncode == 1
    assert "no fleet runs here" in done.stderr and "fleet supervise" in done.stderr


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime directory with a short name: the path of a socket has 108 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="fleet-", dir="/tmp") as directory:
        yield Path(directory)


def test_the_socket_is_found_by_the_application(start: Start, app: Path, runtime: Path) -> None:
    fleet = start(workers="1", control_socket="", environ={"XDG_RUNTIME_DIR": str(runtime)})
    fleet.until(lambda: fleet.events("ready"))
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "fleet", "status", str(app)], capture_output=True, text=True, timeout=60, env=environ
    )
    assert "1 of 1 workers serve" in done.stdout
    assert fleet.stop() == -signal.SIGTERM
    assert not list((runtime / "lua-fleet").iterdir())


def test_probes_and_status_over_http(start: Start) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    fleet = start(workers="1", listen=f"127.0.0.1:{port}").wait_ready(1)
    assert get(f"{base}/livez") == (200, "text/plain; charset=utf-8", "ok\n")
    assert get(f"{base}/readyz")[::2] == (200, "1 of 1 workers serve\n")
    code, kind, body = get(f"{base}/status?x=1")
    assert (code, kind) == (200, "application/json")
    assert json.loads(body)["workers"][0]["pid"] == fleet.pids()[0]
    assert get(f"{base}/metrics")[0] == 200
    assert get(f"{base}/")[0] == 404
    os.kill(fleet.pids()[0], signal.SIGKILL)
    fleet.until(lambda: get(f"{base}/readyz")[0] == 503)
    assert get(f"{base}/livez")[0] == 200
    fleet.until(lambda: get(f"{base}/readyz")[0] == 200)


def test_an_address_that_is_taken_is_said(start: Start) -> None:
    port = free_port()
    start(workers="1", listen=f"127.0.0.1:{port}").wait_ready(1)
    second = start(workers="1", listen=f"127.0.0.1:{port}", control_socket="other.sock")
    assert second.wait() == 3
    assert f"127.0.0.1:{port}: " in second.text and "in use" in second.text
    assert not (second.home / "other.sock").exists()
