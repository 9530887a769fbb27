"""First on the path of a test's fleet: workers that meet a signal of a certain name crash, hang or block, and so do
those whose Lua logs such a word.

POISON is a file: without it nothing happens. ``once`` in it takes it away before the first time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation

from fleet.workflow import LuaRun
from fleet.workflow.scripts import RunHost

POISON = Path(os.environ["POISON"])
activate = LuaRun.activate


def poisoned(self: LuaRun, activation: bytes, is_replaying: bool, jobs: int) -> bytes:
    act = WorkflowActivation.FromString(activation)
    names = {job.signal_workflow.signal_name for job in act.jobs if job.HasField("signal_workflow")}
    if names & {"crash", "hang", "block"} and POISON.exists():
        if POISON.read_text() == "once":
            POISON.unlink()
        (name,) = names & {"crash", "hang", "block"}
        do(name)
    return activate(self, activation, is_replaying, jobs)


def do(name: str) -> None:
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    while name == "hang":
        time.sleep(1)
    # With the GIL: nothing of Python runs any more.
    ctypes.PyDLL(None).sleep(3600)


def poisoned_host(self: RunHost, name: str, *args: Any) -> Any:
    if name == "log" and args[1] in ("crash", "hang", "block") and POISON.exists():
        do(args[1])
    return host(self, name, *args)


host = RunHost.__call__
LuaRun.activate = poisoned  # type: ignore[method-assign]
RunHost.__call__ = poisoned_host  # type: ignore[method-assign]
