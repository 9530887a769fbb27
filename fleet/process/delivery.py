"""Messages from workflows to the processes of this node: activities on a task queue of its own (decision 26)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker

from fleet._core import LuaError
from fleet.activity import LuaApplicationError, payloads
from fleet.metrics.work import MESSAGES

from .mailbox import MailboxClosed, Message
from .spawning import ProcessGone

if TYPE_CHECKING:
    from .node import Node

ACTIVITY = "lua-fleet.deliver"
"""Argument 1: JSON {to, topic, from, id}; the others are the message's values (lua_modules/node_send.lua)."""

NODE_QUEUES = "lua-fleet-node"
"""How the names of the nodes' task queues begin."""

_SLOTS = 20
_POLLERS = 2
_REMEMBERED = 10_000


def queue_of(node: Node) -> str:
    """The task queue that nobody but this node polls."""
    return f"{NODE_QUEUES}-{node.id}"


class Deliveries:
    """Takes what workflows send to the processes of a node, each message once.

    A workflow has one message to a process in flight, so that the order is kept without more ado.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        # An attempt whose answer was lost is repeated within seconds: older ids are of no use.
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._workers: list[tuple[Worker, asyncio.Task[None]]] = []

    def poll(self, client: Client) -> None:
        """From now on take what the workflows of the client's namespace send."""

        @activity.defn(dynamic=True)
        async def deliver(args: Sequence[RawValue]) -> None:
            self.take([arg.payload.SerializeToString() for arg in args])

        worker = Worker(
            client,
            task_queue=queue_of(self._node),
            activities=[deliver],
            max_concurrent_activities=_SLOTS,
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(_POLLERS),
            # Without one the SDK hashes every loaded Python module.
            build_id=self._node.functions.app.content_hash,
            graceful_shutdown_timeout=timedelta(seconds=1),
        )
        task = asyncio.create_task(worker.run(), name="worker of processes")
        task.add_done_callback(self._ended)
        self._workers.append((worker, task))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._node.on_failure(error)

    async def close(self) -> None:
        """Poll no more."""
        workers, self._workers = self._workers, []
        for worker, task in workers:
            await worker.shutdown()
            await asyncio.wait([task])

    def take(self, arguments: Sequence[bytes]) -> None:
        """Deliver one message.

        Raises LuaApplicationError: NOT_FOUND for a process that is gone, final; UNAVAILABLE while its mailbox is full,
        to be tried again.
        """
        message: dict[str, Any] = payloads.decode(arguments[0])
        if message["id"] in self._seen:
            MESSAGES.labels("process", "repeated").add()
            return
        process = self._node.process(message["to"])
        if process is None:
            MESSAGES.labels("process", "not_found").add()
            raise LuaApplicationError(ProcessGone(message["to"]).error)
        try:
            taken = process.mailbox.offer(Message(message["topic"], list(arguments[1:]), message.get("from")))
        except MailboxClosed:
            MESSAGES.labels("process", "not_found").add()
            raise LuaApplicationError(ProcessGone(message["to"]).error) from None
        if not taken:
            MESSAGES.labels("process", "full").add()
            raise LuaApplicationError(LuaError(f"the mailbox of {message['to']} is full", "UNAVAILABLE", True))
        self._seen[message["id"]] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
