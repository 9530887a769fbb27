"""Runs `fleet supervise` as a process of its own, and says what it does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fleet.supervisor.control import NoFleet, ask

ROOT = Path(__file__).parents[2]
LIMIT = 60.0
"""Seconds that anything may take: only a failing test waits so long."""


def until(condition: Callable[[], Any], what: Callable[[], str] = lambda: "") -> Any:
    """Wait for a condition, and return its value."""
    deadline = time.monotonic() + LIMIT
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {LIMIT:g} s\n{what()}"
        time.sleep(0.02)
    return value


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Supervised:
    """A running fleet. `settings` become flags."""

    app: Path
    home: Path
    address: str
    settings: dict[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.socket = self.home / "control.sock"
        self.log = self.home / f"fleet-{time.monotonic_ns()}.log"
        base = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "FLEET_"))}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, *self.arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env={
                    **base,
                    "PYTHONPATH": str(ROOT),
                    "XDG_STATE_HOME": str(self.home / "state"),
                    "TEMPORAL_ADDRESS": self.address,
                    **self.environ,
                },
                start_new_session=True,
            )

    def arguments(self) -> list[str]:
        # What a test does not ask for is off; what it does, wins.
        settings = {"listen": "off", "control_socket": str(self.socket), "log_format": "json", **self.settings}
        flags = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)]
        return ["-m", "fleet", "supervise", str(self.app), *flags]

    @property
    def text(self) -> str:
        return self.log.read_text()

    def events(self, event: str = "") -> list[dict[str, Any]]:
        """The decisions that it has logged, of one kind or all."""
        lines = [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]
        return [line for line in lines if "event" in line and event in ("", line["event"])]

    def ask(self, command: str, **more: Any) -> dict[str, Any]:
        return ask(self.socket, {"command": command, **more}, timeout=LIMIT)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.ask("status")["status"]
        return status

    def pids(self) -> list[int]:
        return [worker["pid"] for worker in self.status()["workers"] if worker["pid"]]

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for a condition while the fleet runs."""

        def checked() -> Any:
            value = condition()
            assert value or self.process.poll() is None, f"the fleet has ended:\n{self.text}"
            return value

        return until(checked, lambda: self.text)

    def wait_ready(self, count: int) -> Supervised:
        """Wait until `count` workers serve."""

        def serving() -> bool:
            try:
                status = self.status()
            except NoFleet:
                return False
            return bool(status["serving"] == status["target"] == count and not status["reloading"])

        self.until(serving)
        return self

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        return self.wait()

    def wait(self) -> int:
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the fleet does not end:\n{self.text}") from None

    def clean_up(self) -> None:
        """Leave nothing behind, whatever the test did."""
        family = [self.process.pid]
        if self.process.poll() is None:
            for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
                family.append(int(child))
            self.process.kill()
            self.process.wait()
        for event in self.events("start"):
            family.append(event["pid"])
        for pid in family:
            if alive(pid) and b"fleet" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


class OddFleet(Supervised):
    """A supervisor over workers that misbehave: odd_fleet.py."""

    def arguments(self) -> list[str]:
        flags = [f"{name}={value}" for name, value in self.settings.items()]
        return [str(Path(__file__).with_name("odd_fleet.py")), str(self.app), str(self.socket), str(self.plan), *flags]

    @property
    def plan(self) -> Path:
        return self.home / "plan.json"


class Start(Protocol):
    def __call__(self, *, prefix: list[str] = ..., environ: dict[str, str] = ..., **settings: str) -> Supervised: ...
