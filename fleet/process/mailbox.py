"""The mailbox of a process: how many unread messages it takes before senders wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.metrics.work import MESSAGES

_DELIVERED = MESSAGES.labels("process", "delivered")


@dataclass(frozen=True, slots=True)
class Message:
    """What one process sends to another.

    Attributes:
        topic: what it is about.
        payloads: serialized ``temporal.api.common.v1.Payload``, one per value.
        sender: PID of the sender; None when it has none.
    """

    topic: str
    payloads: list[bytes]
    sender: str | None


class MailboxClosed(Exception):
    """The process has ended; the message did not reach it."""


@dataclass
class Mailbox:
    """Hands messages over in order and counts those that the script has not received.

    Attributes:
        hand_over: gives a message to the script.
        capacity: how many unread ones it takes.
        unread: how many there are.
    """

    hand_over: Callable[[Message], None]
    capacity: int
    unread: int = 0
    _waiting: deque[tuple[Message, asyncio.Future[None]]] = field(default_factory=deque)
    _closed: bool = False

    def offer(self, message: Message) -> bool:
        """Take the message if there is room and nobody waits for it. Raises MailboxClosed."""
        if self._closed:
            raise MailboxClosed
        if self._waiting or self.unread >= self.capacity:
            return False
        self.take(message)
        return True

    def take(self, message: Message) -> None:
        """Take the message whether there is room or not: the first ones of a process come before it runs."""
        self.unread += 1
        _DELIVERED.add()
        self.hand_over(message)

    async def put(self, message: Message) -> None:
        """Wait until the message has been taken; those who came first go first. Raises MailboxClosed."""
        if self.offer(message):
            return
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, taken))
        await taken

    def update(self, unread: int) -> None:
        """The script ran, and has this many messages that it has not received."""
        self.unread = unread
        while self._waiting and self.unread < self.capacity:
            message, taken = self._waiting.popleft()
            # Who was cancelled while it waited has not sent it.
            if not taken.done():
                self.take(message)
                taken.set_result(None)

    def close(self) -> None:
        """The process has ended: nothing is taken any more."""
        self._closed = True
        while self._waiting:
            _, taken = self._waiting.popleft()
            if not taken.done():
                taken.set_exception(MailboxClosed())
