"""Runs the real command as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

INDEX = """\
version: "1.0"
namespace: shop
entries:
  - {name: temporal, kind: temporal.client, address: "127.0.0.1:1", connection_timeout: 3s}
  - {name: worker, kind: temporal.worker, client: "shop:temporal", task_queue: shop}
  - name: order
    kind: workflow.lua
    source: file://order.lua
    modules: [funcs, time]
    meta: {temporal: {workflow: {worker: worker}}}
  - name: charge
    kind: function.lua
    source: file://charge.lua
    method: main
    modules: [errors]
    meta: {temporal: {activity: {worker: worker}}}
"""

ORDER = """\
local function main(order)
    print("order " .. order.id)
    local charge, err = funcs.call("shop:charge", order)
    if err then return nil, err end
    time.sleep(order.wait or "10ms")
    return {id = order.id, charge = charge}
end
return { main = main }
"""

CHARGE = """\
local function main(order)
    if order.amount > 100 then
        return nil, errors.new({kind = errors.PERMISSION_DENIED, message = "card declined", retryable = false})
    end
    return {amount = order.amount, big = 9007199254740993}
end
return { main = main }
"""

FILES = {"_index.yaml": INDEX, "order.lua": ORDER, "charge.lua": CHARGE}


@dataclass
class Finished:
    """A command that has ended: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@dataclass
class Fleet:
    """The `fleet` command in an environment of its own: home for data, working directory, applications."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def app(self, name: str = "app", **files: str) -> Path:
        """An application in a directory: the shop's files, with those of `files` over them (`order__lua`)."""
        root = self.home / name
        root.mkdir(exist_ok=True)
        for file, text in {**FILES, **{key.replace("__", "."): text for key, text in files.items()}}.items():
            (root / file).write_text(text)
        return root

    def environment(self) -> dict[str, str]:
        base = {key: value for key, value in os.environ.items() if not key.startswith(("TEMPORAL_", "FLEET_"))}
        paths = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [base.get("PYTHONPATH")])])
        return {**base, "PYTHONPATH": paths, "XDG_STATE_HOME": str(self.home / "state"), **self.environ}

    def __call__(self, *args: str | Path, stdin: str = "", timeout: float = 60) -> Finished:
        """Run `fleet args...` to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "fleet", *map(str, args)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.home,
            env=self.environment(),
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def dev(self, app: Path, *args: str) -> Dev:
        """Start `fleet dev`, and come back when it serves."""
        log = self.home / f"dev-{app.name}-{time.monotonic_ns()}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "fleet", "dev", str(app), *args],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.home,
                env=self.environment(),
                start_new_session=True,
            )
        dev = Dev(process, log)
        dev.wait_for("Ctrl-C ends it")
        return dev


@dataclass
class Dev:
    """A running `fleet dev`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text()

    @property
    def address(self) -> str:
        line = next(line for line in self.text.splitlines() if line.startswith("Temporal"))
        return line.split()[1]

    def wait_for(self, words: str, times: int = 1) -> None:
        """Wait until it has said `words`."""
        deadline = time.monotonic() + 60
        while self.text.count(words) < times:
            assert self.process.poll() is None, f"fleet dev has ended:\n{self.text}"
            assert time.monotonic() < deadline, f"fleet dev does not say {words!r}:\n{self.text}"
            time.sleep(0.05)

    def stop(self, signum: int = signal.SIGINT) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        return self.process.wait(timeout=60)
