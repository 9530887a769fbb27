"""The node of a serving process: its processes by PID, their names, where they are spawned."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Self

from temporalio.client import Client

from fleet.activity import FunctionFailed, Functions
from fleet.activity.running import Call, Replaced
from fleet.modules import RequestFailed
from fleet.modules.caller import raw, text
from fleet.registry import ProcessHostEntry

from .calls import Calls
from .delivery import Deliveries
from .mailbox import Message
from .names import Names
from .pid import Pid
from .process import Process
from .spawning import Spawn
from .starts import Starts
from .workflow_clients import Connect, WorkflowClients
from .workflow_control import Workflows

log = logging.getLogger(__name__)

CALL_MAILBOX = 1024
"""Unread messages that a call of a function takes; the hosts of processes have a setting for it."""

CLOSE_SECONDS = 5.0
"""How long processes may go on when the node closes."""


class Node:
    """The processes of this operating system process. One per ``Functions``, which it teaches ``process``.

    Attributes:
        id: the node part of PIDs; another one at each start, so that no PID ever means a second process.
        functions: what runs the code.
        names: the names that processes have here.
        workflows: those of the application's temporal.clients.
        on_failure: as given.
        deliveries: what their workflows send to processes of this node.
        processes: the running ones, by PID; calls of functions are among them once somebody asked for their PID.
    """

    def __init__(
        self, functions: Functions, connect: Connect, on_failure: Callable[[BaseException], None] = lambda _: None
    ) -> None:
        """
        Args:
            functions: what runs the code; before its first call.
            connect: gives the client of a temporal.client entry, when workflows of it are wanted the first time.
            on_failure: told when it can take no messages of workflows any more.
        """
        self.id = f"n-{secrets.token_hex(6)}"
        self.functions = functions
        self.names = Names()
        self.deliveries = Deliveries(self)
        self.on_failure = on_failure
        self._connect = connect
        self._clients = WorkflowClients(functions.app, self._connected)
        self.workflows = Workflows(functions.app, self._clients)
        self._closing = False
        self._numbers = itertools.count(1)
        self.processes: dict[str, Process] = {}
        self._hosts = {
            entry.id: entry.host for entry in functions.app.entries.values() if isinstance(entry, ProcessHostEntry)
        }
        for part in (Calls(self), Starts(self)):
            functions.call_host.update(part.call_host)
            functions.requests.update(part.requests)

    async def attend(self, client_id: str) -> None:
        """Be there for the workflows of a temporal.client, which may have PIDs of this node: take their messages.

        Clients that are used do so without it. Raises RequestFailed (UNAVAILABLE).
        """
        await self._clients.get(client_id)

    async def _connected(self, client_id: str) -> Client:
        client = await self._connect(client_id)
        if not self._closing:
            self.deliveries.poll(client)
        return client

    def is_host(self, id: str) -> bool:
        """Whether processes are spawned there: is it a process.host?"""
        return id in self._hosts

    # ---- finding processes

    def process(self, pid: str) -> Process | None:
        """The running process of this node with that PID."""
        return self.processes.get(pid)

    def process_of(self, call: Call) -> Process:
        """A running call as a process; it becomes one when somebody asks for it the first time."""
        if call.process is None:
            return self._add(call, call.entry_id, CALL_MAILBOX)
        assert isinstance(call.process, Process)
        return call.process

    def forget(self, process: Process) -> None:
        """The process has ended."""
        self.processes.pop(process.pid, None)
        self.names.owner_ended(process.pid)

    # ---- starting processes

    def spawn(self, spec: Spawn) -> Process:
        """Start a process. A name that a running process has: that process, which gets the messages.

        Raises RequestFailed: NOT_FOUND (host, entry), INVALID (the entry is no process), ALREADY_EXISTS (the name
        belongs to something else than a process of this node), UNAVAILABLE (the node closes).
        """
        self._check(spec)
        if spec.name and (holder := self.names.lookup(spec.name)) is not None:
            return self._existing(spec, holder)
        try:
            call = self.functions.prepare(spec.entry_id, spec.context)
        except FunctionFailed as failed:
            raise RequestFailed(text(failed.error.kind), str(failed)) from None
        process = self._add(call, spec.host, max(1, self._hosts[spec.host].queue_size))
        if spec.name:
            self.names.register(spec.name, process.pid, process.pid)
        for message in spec.messages:
            process.mailbox.take(message)
        process.task = self.functions.spawn(self._run(process, spec.arguments))
        process.task.add_done_callback(lambda _: self._left(process))
        return process

    def _check(self, spec: Spawn) -> None:
        if self._closing:
            raise RequestFailed(
                "UNAVAILABLE", f"cannot start {spec.entry_id}: this serving process stops", retryable=True
            )
        if spec.host not in self._hosts:
            raise RequestFailed("NOT_FOUND", f"host not found: {spec.host} is no process.host of this application")
        app = self.functions.app
        if spec.entry_id not in app.processes:
            entry = app.entries.get(spec.entry_id)
            if entry is None:
                raise RequestFailed("NOT_FOUND", f"no entry {spec.entry_id}: nothing can be spawned by that id")
            raise RequestFailed(
                "INVALID",
                f"{spec.entry_id} is a {entry.kind}, which {spec.host} cannot run: a process.host runs process.lua",
            )

    def _existing(self, spec: Spawn, holder: str) -> Process:
        process = self.process(holder)
        if process is None:
            raise RequestFailed("ALREADY_EXISTS", f"the name {spec.name} belongs to {holder}")
        for message in spec.messages:
            process.mailbox.take(message)
        return process

    def _add(self, call: Call, host: str, capacity: int) -> Process:
        pid = str(Pid(self.id, host, f"{next(self._numbers):#07x}"))
        process = Process(self, pid, call, capacity)
        call.process = process
        self.processes[pid] = process
        return process

    async def _run(self, process: Process, arguments: Sequence[bytes]) -> None:
        while True:
            try:
                await self.functions.run(process.call, arguments)
                return
            except Replaced as replaced:
                arguments = [raw(payload) for payload in replaced.request["arguments"]]
                if not self._replace(process, replaced):
                    return
            except FunctionFailed as failed:
                # Who ended it knows that it has ended.
                if not process.watched and failed.error.kind != "CANCELED":
                    log.error("process %s (%s) failed: %s", process.pid, process.call.entry_id, failed)
                return

    def _replace(self, process: Process, replaced: Replaced) -> bool:
        """Put other code in the place of a process; False when that code does not load, and the process has ended."""
        try:
            call = self.functions.prepare(text(replaced.request["entry"]), process.call.context)
        except FunctionFailed as failed:
            process.ended(failed.error)
            return False
        unread = [
            Message(text(one["topic"]), [raw(payload) for payload in one["payloads"]], one.get("from"))
            for one in replaced.request["messages"]
        ]
        process.replace(call, unread, replaced.events)
        return True

    def _left(self, process: Process) -> None:
        """The task has ended. One that was cancelled before it began has never run the call."""
        if self.processes.get(process.pid) is process:
            process.call.discard()

    # ---- the end

    async def close(self, grace: float = CLOSE_SECONDS) -> None:
        """End the processes that were spawned: each is told, and ended when it goes on for ``grace`` seconds.

        Those that read their events get a CANCEL; the others are interrupted where they wait.
        """
        self._closing = True
        ends = []
        for process in list(self.processes.values()):
            if process.task is not None:
                process.stop("the process host stops", grace)
                ends.append(process.result)
        if ends:
            await asyncio.wait(ends)
        self._clients.close()
        await self.deliveries.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
