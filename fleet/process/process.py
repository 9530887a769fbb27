"""A process of this node: a running call with a PID, a mailbox, and those who watch it (spec/lua_api.md, section 2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fleet._core import LuaError
from fleet.activity.running import Call
from fleet.modules.caller import text

from .mailbox import Mailbox, Message
from .watching import Watches

if TYPE_CHECKING:
    from .node import Node


class Process:
    """What others know of a running call.

    Attributes:
        pid: its PID.
        call: what runs.
        mailbox: takes its messages.
        monitors: who gets an EXIT event when it ends.
        links: who gets LINK_DOWN when it ends abnormally, and the other way round.
        trap_links: whether LINK_DOWN is an event for it; without, it fails.
        watches: the workflows that it watches.
        reads_events: whether the script asked for its events.
        awaited: whether who started it waits for its end.
        result: its end, the payload of the result or an error.
        task: what runs it, when it was spawned; calls of functions are run by others.
    """

    __slots__ = (
        "_deadline",
        "_node",
        "_watched",
        "awaited",
        "call",
        "links",
        "mailbox",
        "monitors",
        "pid",
        "reads_events",
        "result",
        "task",
        "trap_links",
        "watches",
    )

    def __init__(self, node: Node, pid: str, call: Call, capacity: int) -> None:
        self._node = node
        self._watched: set[Process] = set()
        self._deadline: asyncio.TimerHandle | None = None
        self.pid = pid
        self.call = call
        self.mailbox = Mailbox(self._hand_over, capacity)
        self.monitors: set[Process] = set()
        self.links: set[Process] = set()
        self.watches = Watches(self)
        self.trap_links = False
        self.reads_events = False
        self.awaited = False
        self.result: asyncio.Future[bytes | LuaError] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[Any] | None = None

    def _hand_over(self, message: Message) -> None:
        self.call.post(["message", message.topic, message.sender, message.payloads])

    def replace(self, call: Call, unread: list[Message], events: list[list[Any]]) -> None:
        """Go on with another call, which is told what the one before had not received."""
        self.call = call
        call.process = self
        self.trap_links = self.reads_events = False
        self.mailbox.unread = 0
        for message in unread:
            self.mailbox.take(message)
        for event in events:
            self.mailbox.unread += event[0] == "message"
            # What the code before asked for is not for this one.
            if event[0] not in ("done", "failed"):
                call.post(event)

    # ---- who watches whom

    @property
    def watched(self) -> bool:
        """Whether somebody is told how it ends."""
        return bool(self.monitors or self.links or self.awaited)

    def monitor(self, other: Process) -> None:
        """Get an EXIT event when ``other`` ends."""
        other.monitors.add(self)
        self._watched.add(other)

    def unmonitor(self, other: Process) -> None:
        """Get none."""
        other.monitors.discard(self)
        self._watched.discard(other)

    def link(self, other: Process) -> None:
        """Share abnormal ends with ``other``."""
        self.links.add(other)
        other.links.add(self)

    def unlink(self, other: Process) -> None:
        """Share them no more."""
        self.links.discard(other)
        other.links.discard(self)

    def exited(self, pid: str, outcome: bytes | LuaError) -> None:
        """Tell the script that a process it monitors has ended."""
        self.call.post(["exit", pid, *_parts(outcome)])

    def link_down(self, pid: str, outcome: bytes | LuaError) -> None:
        """A linked process has ended abnormally: an event for those who trap links, the end for the others."""
        if self.trap_links:
            self.call.post(["link_down", pid, *_parts(outcome)])
            return
        reason = f": {text(outcome.message)}" if isinstance(outcome, LuaError) else ""
        self.kill(LuaError(f"linked process failed: {pid}{reason}", "INTERNAL", False))

    # ---- its end

    def cancel(self, reason: str, sender: str | None, deadline: float | None = None) -> None:
        """Tell the script that it should end; after ``deadline`` seconds it is ended."""
        self.call.post(["cancel_request", reason, sender])
        if deadline is not None:
            self._end_within(deadline)

    def _end_within(self, seconds: float) -> None:
        error = LuaError("the deadline of its cancellation has passed", "CANCELED", False)
        timer = asyncio.get_running_loop().call_later(seconds, self.kill, error)
        if self._deadline is not None:
            # The earlier deadline holds.
            timer, later = sorted((self._deadline, timer), key=lambda handle: handle.when())
            later.cancel()
        self._deadline = timer

    def stop(self, reason: str, grace: float) -> None:
        """End it in good order within ``grace`` seconds: by a CANCEL event if it reads events, else by interrupting."""
        if self.reads_events or self.task is None:
            self.cancel(reason, None, grace)
        else:
            self.task.cancel()
            self._end_within(grace)

    def kill(self, error: LuaError) -> None:
        """End it with an error."""
        self.call.kill(error)

    def stepped(self, unread: int) -> None:
        """The script ran (fleet.activity.running)."""
        self.mailbox.update(unread)

    def ended(self, outcome: bytes | LuaError) -> None:
        """The call is over: those who watch it are told, abnormal ends go along links."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._node.forget(self)
        self.mailbox.close()
        self.watches.close()
        for other in self._watched:
            other.monitors.discard(self)
        for watcher in self.monitors:
            watcher._watched.discard(self)
            watcher.exited(self.pid, outcome)
        for linked in self.links:
            linked.links.discard(self)
            if isinstance(outcome, LuaError):
                linked.link_down(self.pid, outcome)
        if not self.result.done():
            self.result.set_result(outcome)


def _parts(outcome: bytes | LuaError) -> tuple[bytes | None, LuaError | None]:
    return (None, outcome) if isinstance(outcome, LuaError) else (outcome, None)
