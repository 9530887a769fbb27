"""Replays a history in a process of its own: ``replay_process.py APP HISTORY QUEUE``.

Prints a JSON list with an item for each workflow task: its commands, as text, in order. Exits 1 when the code does not
fit the history.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

import fleet
from fleet.workflow import LuaWorkflowInstance, Origin

commands: list[Any] = []
activate = LuaWorkflowInstance.activate


def recording(self: LuaWorkflowInstance, act: Any) -> Any:
    """Note what each activation brings."""
    completion = activate(self, act)
    if not act.jobs[0].HasField("remove_from_cache"):
        commands.append(MessageToDict(completion.successful or completion.failed))
    return completion


async def main() -> None:
    app, history, queue = sys.argv[1:]
    LuaWorkflowInstance.activate = recording  # type: ignore[method-assign]
    plugin = fleet.LuaPlugin(fleet.load_app(app), origin=Origin(queue, "default"))
    text = Path(history).read_text()
    await Replayer(workflows=[], plugins=[plugin]).replay_workflow(WorkflowHistory.from_json("wf", text))


code = 0
try:
    asyncio.run(main())
except Exception as error:
    print(error, file=sys.stderr)
    code = 1
print(json.dumps(commands))
sys.stdout.flush()
sys.stderr.flush()
# A process with a Temporal runtime may crash while the interpreter is taken down.
os._exit(code)
