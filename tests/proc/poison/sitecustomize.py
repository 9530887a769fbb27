"""First on the path of a test's fleet: workers that meet a signal of a certain name crash, hang or block.

POISON is a file: without it nothing happens. ``once`` in it takes it away before the first time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from fleet.workflow import LuaWorkflowInstance

POISON = Path(os.environ["POISON"])
activate = LuaWorkflowInstance.activate


def poisoned(self: LuaWorkflowInstance, act: WorkflowActivation) -> WorkflowActivationCompletion:
    names = {job.signal_workflow.signal_name for job in act.jobs if job.HasField("signal_workflow")}
    if names & {"crash", "hang", "block"} and POISON.exists():
        if POISON.read_text() == "once":
            POISON.unlink()
        if "crash" in names:
            os.kill(os.getpid(), signal.SIGSEGV)
        while "hang" in names:
            time.sleep(1)
        # With the GIL: nothing of Python runs any more.
        ctypes.PyDLL(None).sleep(3600)
    return activate(self, act)


LuaWorkflowInstance.activate = poisoned  # type: ignore[method-assign]
