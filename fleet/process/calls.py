"""What the Lua module ``process`` asks for outside workflows (lua_modules/process_local.lua)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fleet._core import LuaError
from fleet.activity.payloads import encode
from fleet.activity.running import Call
from fleet.modules import RequestFailed
from fleet.modules.caller import raw, text

from . import pid as pids
from .mailbox import MailboxClosed, Message
from .pid import Pid
from .process import Process
from .spawning import ProcessElsewhere, ProcessGone

if TYPE_CHECKING:
    from .node import Node

TERMINATED = "process terminated"


class Calls:
    """The host functions and requests of a node.

    Attributes:
        call_host, requests: by name, for ``Functions``.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._workflows = node.workflows
        self.call_host: dict[str, Callable[..., Any]] = {
            "process_pid": self.pid,
            "process_can_upgrade": self.can_upgrade,
            "process_reads_events": self.reads_events,
            "process_trap_links": self.trap_links,
            "process_try_send": self.try_send,
            "process_register": self.register,
            "process_lookup": self.lookup,
            "process_unregister": self.unregister,
        }
        self.requests: dict[str, Callable[..., Awaitable[Any]]] = {
            "process_send": self.send,
            "process_terminate": self.terminate,
            "process_cancel": self.cancel,
            "process_monitor": self.monitor,
            "process_unmonitor": self.unmonitor,
            "process_link": self.link,
            "process_unlink": self.unlink,
        }

    # ---- itself

    def pid(self, call: Call) -> str:
        """The PID of the call."""
        return self._node.process_of(call).pid

    def reads_events(self, call: Call) -> None:
        """The script asked for its events."""
        self._node.process_of(call).reads_events = True

    def can_upgrade(self, call: Call, entry_id: str | bytes) -> bool | LuaError:
        """Whether other code can take the place of the call: it must have been spawned."""
        if self._node.process_of(call).task is None:
            return LuaError(f"{call.entry_id} was not spawned: only processes and workflows upgrade", "INVALID", False)
        if text(entry_id) not in self._node.functions.app.processes:
            return LuaError(f"no process.lua entry {text(entry_id)}", "NOT_FOUND", False)
        return True

    def trap_links(self, call: Call, trap: bool) -> None:
        """Whether LINK_DOWN is an event for the call, or its end."""
        self._node.process_of(call).trap_links = trap

    # ---- names

    def register(self, call: Call, name: str | bytes, pid: str | bytes | None) -> bool | LuaError:
        """Give a process a name; without a PID, the call itself. Names of processes elsewhere end with the call."""
        own = self._node.process_of(call).pid
        named = text(pid) if pid is not None else own
        target = pids.parse(named)
        owner = own
        if target is not None and target.node == self._node.id:
            if self._node.process(named) is None:
                return ProcessGone(named).error
            owner = named
        holder = self._node.names.register(text(name), named, owner)
        if holder is not None:
            return LuaError(f"the name {text(name)} belongs to {holder}", "ALREADY_EXISTS", False)
        return True

    def lookup(self, call: Call, name: str | bytes) -> str | None:
        """The PID that has the name."""
        return self._node.names.lookup(text(name))

    def unregister(self, call: Call, name: str | bytes) -> bool:
        """Take the name away; False when nobody has it."""
        return self._node.names.unregister(text(name))

    def _resolve(self, destination: str | bytes) -> Pid | Process:
        """The process of this node, or the PID of a workflow, that a PID or name stands for.

        Raises RequestFailed (NOT_FOUND)."""
        given = text(destination)
        pid = pids.parse(given)
        if pid is None:
            named = self._node.names.lookup(given)
            pid = pids.parse(named) if named is not None else None
            if named is None or pid is None:
                raise RequestFailed("NOT_FOUND", f"could not resolve {given!r} as PID or registered name")
            given = named
        if pid.is_workflow:
            return pid
        if pid.node == "" and (worker := self._node.functions.app.workers.get(pid.host)) is not None:
            return Pid(worker.client, pid.host, pid.id)
        if pid.node != self._node.id:
            raise ProcessElsewhere(pid)
        process = self._node.process(given)
        if process is None:
            raise ProcessGone(given)
        return process

    # ---- messages

    def try_send(self, call: Call, destination: str | bytes, topic: str | bytes, payloads: Any) -> Any:
        """Send to a process of this node without waiting: True, an error, or None when ``send`` has to do it."""
        try:
            target = self._resolve(destination)
        except RequestFailed as failed:
            return failed.error
        if isinstance(target, Process) and target.mailbox.offer(self._message(call, topic, payloads)):
            return True
        return None

    async def send(self, call: Call, destination: str | bytes, topic: str | bytes, payloads: Any) -> bool:
        """Send, and wait until the message has been taken."""
        target = self._resolve(destination)
        if isinstance(target, Pid):
            message = self._message(call, topic, payloads)
            await self._workflows.signal(
                target.node, target.id, message.topic, message.payloads, encode(message.sender)
            )
            return True
        try:
            await target.mailbox.put(self._message(call, topic, payloads))
        except MailboxClosed:
            raise ProcessGone(target.pid) from None
        return True

    def _message(self, call: Call, topic: str | bytes, payloads: Any) -> Message:
        return Message(text(topic), [raw(payload) for payload in payloads], self._node.process_of(call).pid)

    # ---- ending and watching

    async def terminate(self, call: Call, destination: str | bytes) -> bool:
        """End a process at once; those who watch it get an error."""
        target = self._resolve(destination)
        if isinstance(target, Pid):
            await self._workflows.terminate(target.node, target.id)
            return True
        target.kill(LuaError(TERMINATED, "CANCELED", False))
        return True

    async def cancel(self, call: Call, destination: str | bytes, reason: str | bytes, deadline: int | None) -> bool:
        """Ask a process to end; with a deadline (nanoseconds) it is ended when that has passed."""
        target = self._resolve(destination)
        if isinstance(target, Pid):
            await self._workflows.cancel(target.node, target.id, text(reason))
            return True
        target.cancel(text(reason), self._node.process_of(call).pid, deadline / 1e9 if deadline else None)
        return True

    async def monitor(self, call: Call, destination: str | bytes) -> bool:
        """EXIT when the process ends. One that has ended or never was has an EXIT at once, with an error, so that it
        does not matter who is faster."""
        own = self._node.process_of(call)
        try:
            target = self._resolve(destination)
        except ProcessGone as gone:
            own.exited(gone.pid, gone.error)
            return True
        if isinstance(target, Pid):
            own.watches.add(self._workflows, target, "monitor")
            return True
        own.monitor(_another(own, target, "monitor"))
        return True

    async def unmonitor(self, call: Call, destination: str | bytes) -> bool:
        """No EXIT any more."""
        return self._forget(call, destination, "monitor", Process.unmonitor)

    async def link(self, call: Call, destination: str | bytes) -> bool:
        """Share abnormal ends."""
        own = self._node.process_of(call)
        target = self._resolve(destination)
        if isinstance(target, Pid):
            own.watches.add(self._workflows, target, "link")
            return True
        own.link(_another(own, target, "link"))
        return True

    async def unlink(self, call: Call, destination: str | bytes) -> bool:
        """Share them no more."""
        return self._forget(call, destination, "link", Process.unlink)

    def _forget(
        self, call: Call, destination: str | bytes, role: str, part: Callable[[Process, Process], None]
    ) -> bool:
        own = self._node.process_of(call)
        try:
            target = self._resolve(destination)
        except ProcessGone:
            return True
        if isinstance(target, Pid):
            own.watches.remove(target, role)
        else:
            part(own, target)
        return True


def _another(own: Process, target: Process, verb: str) -> Process:
    if own is target:
        raise RequestFailed("INVALID", f"a process cannot {verb} itself")
    return target
