"""With a payload codec, what goes to the server is sealed, and what comes back is opened."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from outside import COLLECT, SENDER, Outside
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import (
    DataConverter,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from fleet.activity import payloads
from fleet.process.workflow_clients import WorkflowClients
from fleet.process.workflow_control import Workflows
from fleet.worker.serve import serve


class SealingCodec(PayloadCodec, WithSerializationContext):
    """Seals with the workflow id, and opens only what belongs to it."""

    def __init__(self, place: str = "nowhere") -> None:
        self.place = place

    def with_context(self, context: SerializationContext) -> SealingCodec:
        assert isinstance(context, WorkflowSerializationContext)
        return SealingCodec(context.workflow_id or "nowhere")

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        metadata = {"encoding": b"binary/sealed", "place": self.place.encode()}
        return [Payload(metadata=metadata, data=payload.SerializeToString()) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        assert all(payload.metadata["place"].decode() == self.place for payload in payloads)
        return [Payload.FromString(payload.data) for payload in payloads]


async def test_everything_is_sealed(bench: Any) -> None:
    bench.workflow(COLLECT)
    bench.workflow("return nil, errors.new{message = 'no', details = {secret = 1}}", name="fails")
    app = bench.load()
    converter = dataclasses.replace(DataConverter.default, payload_codec=SealingCodec())
    client = await Client.connect(bench.address, data_converter=converter)

    async def connect(_: Any) -> Client:
        return client

    async with serve(app, connect):
        outside = Outside(app, bench.address)
        outside.workflows = Workflows(app, WorkflowClients(app, connect))
        started = await outside.start("in", memo={"a": payloads.encode(1)}, messages=[("m", [1]), ("m", [2])])
        await outside.send(started, "finish")
        assert await outside.result(started) == {"input": "in", "got": [["m", 1, SENDER], ["m", 2, SENDER]]}
        handle = (await bench.client()).get_workflow_handle(started.workflow_id)
        events = (await handle.fetch_history()).events
        first = events[0].workflow_execution_started_event_attributes
        found = [*first.input.payloads, first.memo.fields["a"]]
        for event in events:
            found.extend(event.workflow_execution_signaled_event_attributes.input.payloads)
        assert len(found) >= 5
        assert {payload.metadata["encoding"] for payload in found} == {b"binary/sealed"}
        error = await outside.error(await outside.start(entry="app:fails"))
        assert (error.message, error.details) == ("no", {"secret": 1})


async def test_a_result_that_cannot_be_opened_is_an_error(bench: Any) -> None:
    bench.workflow("return 1")
    app = bench.load()
    converter = dataclasses.replace(DataConverter.default, payload_codec=Broken())
    async with bench.serving(app):
        outside = Outside(app, bench.address)
        started = await outside.start()
        await outside.result(started)

        async def connect(_: str) -> Client:
            return await Client.connect(bench.address, data_converter=converter)

        outside.workflows = Workflows(app, WorkflowClients(app, connect))
        error = await outside.error(started)
        assert error.kind == "INVALID"
        assert "ValueError: no key" in error.message


class Broken(PayloadCodec):
    """Opens nothing."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise ValueError("no key")
