"""The workflows of an application as a test drives them from outside, through the Python functions."""

from __future__ import annotations

import json
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from fleet.activity import payloads
from fleet.process.workflow_clients import WorkflowClients
from fleet.process.workflow_control import Started, Workflows
from fleet.process.workflow_start import Messages, Start
from fleet.registry import App

NODE = "app:temporal"
SENDER = "{n-000000000001@app:caller|0x00001}"

COLLECT = """
local input = ...
local got = {}
local inbox = process.inbox()
while true do
    local msg = inbox:receive()
    if msg:topic() == "finish" then return {input = input, got = got} end
    got[#got + 1] = {msg:topic(), msg:payload():data(), msg:from()}
end
"""
"""A workflow that returns its input and all messages until "finish"."""


class Outside:
    """Starts `app:wf` and talks to it."""

    def __init__(self, app: App, address: str) -> None:
        async def connect(client_id: str) -> Client:
            return await Client.connect(address, namespace=app.clients[client_id].namespace)

        self.app = app
        self.workflows = Workflows(app, WorkflowClients(app, connect))

    async def start(
        self,
        *args: Any,
        name: str = "",
        messages: list[tuple[str, list[Any]]] | None = None,
        entry: str = "app:wf",
        **options: Any,
    ) -> Started:
        """Start an entry on its worker; options in the one form."""
        where = self.workflows.destination(entry, self.app.workflows[entry].worker or "")
        encoded = [payloads.encode(arg) for arg in args]
        batch = None if messages is None else batch_of(messages)
        start = Start(where.type, where.task_queue, encoded, name=name, options=options, messages=batch)
        return await self.workflows.start(where.client, start)

    async def send(self, started: Started, topic: str, value: Any = None) -> None:
        """Send a message to a workflow."""
        await self.workflows.signal(
            started.node, started.workflow_id, topic, [payloads.encode(value)], payloads.encode(SENDER)
        )

    async def result(self, started: Started) -> Any:
        """The value that it ends with; asserts that it does not fail."""
        ending = await self.workflows.follow(started.node, started.workflow_id, started.run_id)
        assert ending.error is None, (ending.error, ending.error and ending.error.details)
        assert ending.value is not None
        return payloads.decode(ending.value)

    async def error(self, started: Started) -> Any:
        """The error that it ends with."""
        ending = await self.workflows.follow(started.node, started.workflow_id, started.run_id)
        assert ending.error is not None, ending.value and Payload.FromString(ending.value)
        assert ending.abnormal
        return ending.error


def batch_of(messages: list[tuple[str, list[Any]]]) -> Messages:
    """Messages as lua_modules/message_batch.lua encodes them."""
    manifest = [{"topic": topic, "n": len(values), "from": SENDER} for topic, values in messages]
    values = [payloads.encode(value) for _, values in messages for value in values]
    encoded = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(manifest).encode()).SerializeToString()
    return Messages(messages[0][0], len(messages), [encoded, *values], payloads.encode(SENDER))
