"""Starting processes and workflows for scripts: ``spawn`` and ``exec`` outside workflows (lua_modules/starts.lua)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fleet._core import LuaError
from fleet.activity import CONTEXT_HEADER, payloads
from fleet.activity.running import Call
from fleet.modules import RequestFailed
from fleet.modules.caller import raw, text

from .mailbox import Message
from .pid import Pid
from .spawning import Spawn
from .workflow_control import Started
from .workflow_start import Messages, Start

if TYPE_CHECKING:
    from .node import Node


class Starts:
    """The host functions and requests of starts. ``spec`` is what starts.lua made of a spawner.

    What fails raises RequestFailed.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._app = node.functions.app
        self.call_host: dict[str, Callable[..., Any]] = {
            "process_runs_here": self.runs_here,
            "workflow_entry_options": self.entry_options,
        }
        self.requests: dict[str, Callable[..., Awaitable[Any]]] = {
            "process_spawn": self.spawn_process,
            "process_exec": self.exec_process,
            "workflow_spawn": self.spawn_workflow,
            "workflow_exec": self.exec_workflow,
        }

    def runs_here(self, call: Call, entry_id: str | bytes, host: str | bytes) -> bool:
        """Whether it is a process of this node. A process.lua is one whatever its host: it can be nothing else."""
        place = text(host)
        return self._node.is_host(place) or (text(entry_id) in self._app.processes and place not in self._app.workers)

    def entry_options(self, call: Call, entry_id: str | bytes, host: str | bytes) -> dict[str, Any] | None:
        """The start options of a workflow.lua entry; None on a raw task queue, where an id is a type name."""
        entry = self._app.workflows.get(text(entry_id))
        return entry.options if entry is not None and text(host) in self._app.workers else None

    # ---- processes

    async def spawn_process(
        self, call: Call, entry_id: str | bytes, host: str | bytes, spec: Any, monitor: bool, link: bool
    ) -> str:
        """Start a process of this node; its PID."""
        own = self._node.process_of(call)
        process = self._node.spawn(self._process(call, entry_id, host, spec))
        if process is not own:
            if monitor:
                own.monitor(process)
            if link:
                own.link(process)
        return process.pid

    async def exec_process(self, call: Call, entry_id: str | bytes, host: str | bytes, spec: Any) -> bytes | LuaError:
        """Start a process and wait for its result. If the wait is cancelled, the process is as well."""
        start = self._process(call, entry_id, host, spec)
        # A name that is taken leads to a process of somebody else.
        found = bool(start.name) and self._node.names.lookup(start.name) is not None
        process = self._node.spawn(start)
        if process is self._node.process_of(call):
            raise RequestFailed("INVALID", f"{process.pid} cannot wait for its own end")
        process.awaited = True
        try:
            return await asyncio.shield(process.result)
        except asyncio.CancelledError:
            if process.task is not None and not found:
                process.task.cancel()
            raise

    def _process(self, call: Call, entry_id: str | bytes, host: str | bytes, spec: Any) -> Spawn:
        sender = self._node.process_of(call).pid
        return Spawn(
            text(entry_id),
            text(host),
            arguments=[raw(payload) for payload in spec["arguments"]],
            context=_context(call, spec),
            name=text(spec.get("name") or ""),
            messages=[
                Message(text(message["topic"]), [raw(payload) for payload in message["payloads"]], sender)
                for message in spec["messages"]
            ],
        )

    # ---- workflows

    async def spawn_workflow(
        self, call: Call, entry_id: str | bytes, host: str | bytes, spec: Any, monitor: bool, link: bool
    ) -> str:
        """Start a workflow; its PID."""
        started = await self._start(call, text(entry_id), text(host), spec)
        pid = Pid(started.node, text(host), started.workflow_id)
        watches = self._node.process_of(call).watches
        if monitor:
            watches.add(self._node.workflows, pid, "monitor", started.run_id, started.chain)
        if link:
            watches.add(self._node.workflows, pid, "link", started.run_id, started.chain)
        return str(pid)

    async def exec_workflow(self, call: Call, entry_id: str | bytes, host: str | bytes, spec: Any) -> bytes | LuaError:
        """Start a workflow and wait for its result. Who is cancelled waits no more; the workflow goes on."""
        started = await self._start(call, text(entry_id), text(host), spec)
        ending = await self._node.workflows.follow(started.node, started.workflow_id, started.run_id)
        return ending.error or ending.value or payloads.encode(None)

    async def _start(self, call: Call, entry_id: str, host: str, spec: Any) -> Started:
        own_client = call.activity.client if call.activity is not None else ""
        destination = self._node.workflows.destination(entry_id, host, own_client)
        context = _context(call, spec)
        start = Start(
            type=destination.type,
            task_queue=destination.task_queue,
            arguments=[raw(payload) for payload in spec["arguments"]],
            name=text(spec.get("name") or ""),
            options=spec["options"] or {},
            headers={CONTEXT_HEADER: context} if context is not None else {},
            messages=self._messages(call, spec),
        )
        return await self._node.workflows.start(destination.client, start)

    def _messages(self, call: Call, spec: Any) -> Messages | None:
        messages = spec["messages"]
        if not messages:
            return None
        return Messages(
            topic=text(messages[0]["topic"]),
            count=len(messages),
            batch=[raw(payload) for payload in spec["batch"]],
            sender=payloads.encode(self._node.process_of(call).pid),
        )


def _context(call: Call, spec: Any) -> bytes | None:
    """The payload of the values that ``ctx`` has there; without any of its own, those of the caller."""
    given = spec.get("context")
    return call.context if given is None else raw(given)
