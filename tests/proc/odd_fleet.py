"""A supervisor over workers that misbehave on request: ``odd_fleet.py APP SOCKET PLAN [NAME=VALUE ...]``.

PLAN is a file with what a worker of each generation does, by generation: ``fine``, ``hang``, ``stuck``, ``fat``,
``deaf`` (does not end when told), ``killed`` (in an activation, by SIGKILL; ``starved``: by the kernel, for want of
memory) or ``code N``; with a slot (``1:hang``) the others are fine. Validation fails with
what the file ``problems`` beside it holds.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

from fleet.cli.log_lines import JsonLines
from fleet.registry import load_app
from fleet.supervisor import control
from fleet.supervisor.cpus import allowed_cpus
from fleet.supervisor.files import listen
from fleet.supervisor.job import Program, WorkerJob
from fleet.supervisor.notify import Notifier
from fleet.supervisor.oom import OutOfMemoryKills
from fleet.supervisor.page import Activating, State
from fleet.supervisor.release import Release
from fleet.supervisor.settings import resolve
from fleet.supervisor.supervisor import Supervisor

APP, SOCKET, PLAN = (Path(arg) for arg in sys.argv[1:4])
# There is no server that could say anything about task queues.
FLAGS: dict[str, str | None] = {"scaling": "off", **dict(arg.split("=", 1) for arg in sys.argv[4:])}
OOM_KILLS = PLAN.with_name("memory.events")
RUN = "01a2b3c4-0000-4000-8000-1234567890ab"


def behaviour(job: WorkerJob) -> str:
    planned: str = json.loads(PLAN.read_text())[str(job.block.generation)]
    slot, _, what = planned.rpartition(":")
    return what if slot in ("", str(job.slot)) else "fine"


def work(job: WorkerJob) -> int:
    what = behaviour(job)
    if what.startswith("code "):
        return int(what.split()[1])
    faulthandler.enable(job.stacks)
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: told.append(number) if what != "deaf" else None)
    job.block.beat = time.monotonic_ns()
    job.block.state = State.READY
    ballast = b""
    if what == "stuck":
        job.block.activating = Activating(RUN, time.monotonic_ns())
    if what in ("killed", "starved"):
        job.block.activating = Activating(RUN, time.monotonic_ns())
        if what == "starved":
            OOM_KILLS.write_text(f"oom_kill {1 + int(OOM_KILLS.read_text().split()[1])}\n")
        os.kill(os.getpid(), signal.SIGKILL)
    while not told:
        if what == "hang":
            job.block.activating = Activating(RUN, time.monotonic_ns())
            hang_here()
        if what == "fat":
            ballast = ballast or os.urandom(200 << 20)
        job.block.beat = time.monotonic_ns()
        time.sleep(0.02)
    return 0


def hang_here() -> None:
    while True:
        time.sleep(1000)


def problems() -> str:
    file = PLAN.with_name("problems")
    return file.read_text() if file.exists() else ""


def main() -> None:
    logging.basicConfig(level=logging.INFO, handlers=[JsonLines()])
    settings, _ = resolve(FLAGS, {}, None)
    program = Program(
        work, problems, lambda app, queues, descriptor: 0, lambda: load_app(APP), lambda: resolve(FLAGS, {}, None)[0]
    )
    notifier = Notifier(os.environ)
    supervisor = Supervisor(
        program, Release(load_app(APP), 1), settings, allowed_cpus(), settings.workers or 2, notifier
    )
    OOM_KILLS.write_text("oom_kill 7\n")
    PLAN.with_name("membership").write_text("0::/\n")
    supervisor.crew.oom_kills = OutOfMemoryKills(PLAN.parent, PLAN.with_name("membership"))
    supervisor.crew.suspects.keep(PLAN.with_name("quarantine.json"))
    supervisor.open(listen(SOCKET), control.complete, control.handler(supervisor))
    end = supervisor.run()
    os._exit(end.code or 128 + end.signal if end.signal else end.code)


main()
