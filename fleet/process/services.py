"""``process.service`` entries: processes and workflows that run with the application (spec/registry.md, section 4)."""

from __future__ import annotations

import asyncio

from fleet._core import LuaError
from fleet.activity import payloads
from fleet.modules.caller import text
from fleet.registry import ProcessServiceEntry

from .node import Node
from .process import Process
from .spawning import Spawn
from .workflow_control import Started
from .workflow_options import CONFLICT_POLICIES, entry_options
from .workflow_start import Start

_OF_STOP_TIMEOUT = 0.8
"""The part of ``lifecycle.stop_timeout`` after which a process is ended: the rest is for its end to be seen."""


class ServiceProcessFailed(Exception):
    """The process or workflow of a service failed; the text says why."""


class ProcessService:
    """A process that runs with the application, registered under the service's id.

    Attributes:
        id: of the process.service entry.
    """

    def __init__(self, node: Node, entry: ProcessServiceEntry) -> None:
        self.id = entry.id
        self._node = node
        self._entry = entry
        self._process: Process | None = None

    async def start(self) -> None:
        """Spawn the process. Raises RequestFailed or ServiceProcessFailed."""
        holder = self._node.names.lookup(self.id)
        if holder is not None:
            raise ServiceProcessFailed(f"the name {self.id} belongs to {holder}")
        entry = self._entry
        arguments = [payloads.encode(value) for value in entry.input]
        self._process = self._node.spawn(Spawn(entry.process, entry.host, arguments, name=self.id))
        # Its end is told by `failed`, and needs no other word.
        self._process.awaited = True

    async def stop(self) -> None:
        """End the process: a CANCEL event if it reads events, else its waits are interrupted; then by force."""
        process, self._process = self._process, None
        if process is not None:
            grace = self._entry.lifecycle.stop_timeout.total_seconds() * _OF_STOP_TIMEOUT
            process.stop(f"the service {self.id} stops", grace)
            await asyncio.wait([process.result])

    async def failed(self) -> None:
        """Wait for the end of the process. Raises ServiceProcessFailed when it failed, returns when it just ended."""
        assert self._process is not None, "started first"
        outcome = await asyncio.shield(self._process.result)
        if isinstance(outcome, LuaError):
            raise ServiceProcessFailed(text(outcome.message))


class WorkflowService:
    """A workflow that runs as long as the application exists, under the service's id as its workflow id.

    All serving processes share it, so that it is not ended when one of them stops.

    Attributes:
        id: of the process.service entry.
    """

    def __init__(self, node: Node, entry: ProcessServiceEntry) -> None:
        self.id = entry.id
        self._node = node
        self._entry = entry
        self._started: Started | None = None

    async def start(self) -> None:
        """Start the workflow, or find the one that runs. Raises RequestFailed."""
        entry, workflows = self._entry, self._node.workflows
        destination = workflows.destination(entry.process, entry.host)
        options = entry_options(self._node.functions.app.workflows[entry.process])
        # Each serving process starts it: whoever comes second finds the run of the first.
        options.pop("execution_error_when_already_started", None)
        options.update(id=self.id, id_conflict_policy=CONFLICT_POLICIES["use_existing"])
        start = Start(
            type=destination.type,
            task_queue=destination.task_queue,
            arguments=[payloads.encode(value) for value in entry.input],
            options=options,
        )
        self._started = await workflows.start(destination.client, start)

    async def stop(self) -> None:
        """The workflow goes on."""

    async def failed(self) -> None:
        """Wait for the end of the workflow. Raises ServiceProcessFailed when it failed, returns when it just ended."""
        assert self._started is not None, "started first"
        found = self._started
        ending = await self._node.workflows.follow(found.node, found.workflow_id, found.run_id)
        if ending.error is not None:
            raise ServiceProcessFailed(text(ending.error.message))


def process_services(node: Node) -> list[ProcessService | WorkflowService]:
    """The process.service entries of the application, ready to be started."""
    app = node.functions.app
    return [
        WorkflowService(node, entry) if entry.host in app.workers else ProcessService(node, entry)
        for entry in app.entries.values()
        if isinstance(entry, ProcessServiceEntry)
    ]
