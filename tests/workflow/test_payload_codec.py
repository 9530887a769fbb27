"""Payload codecs that depend on where a payload belongs: both sides are told the same (temporalio's contexts)."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from fleet.worker.serve import serve


class SealingCodec(PayloadCodec, WithSerializationContext):
    """Seals each payload with what it belongs to, and opens it only in the same place."""

    def __init__(self, place: str = "nowhere") -> None:
        self.place = place

    def with_context(self, context: SerializationContext) -> SealingCodec:
        if isinstance(context, ActivitySerializationContext):
            return SealingCodec(f"activity {context.activity_type} of {context.workflow_id}")
        assert isinstance(context, WorkflowSerializationContext)
        return SealingCodec(f"workflow {context.workflow_id}")

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        metadata = {"encoding": b"binary/sealed", "place": self.place.encode()}
        return [Payload(metadata=metadata, data=payload.SerializeToString()) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        opened = []
        for payload in payloads:
            place = payload.metadata["place"].decode()
            if place != self.place:
                raise ValueError(f"a payload of {place!r} is opened as one of {self.place!r}")
            opened.append(Payload.FromString(payload.data))
        return opened


async def test_codec_is_told_the_activity_on_both_sides(bench: Any) -> None:
    bench.function("return { main = function(n) return n + 1 end }", "increment")
    bench.function("return { main = function(n) return n * 2 end }", "double", binding={"local": True})
    bench.workflow("local n = ... return funcs.call('app:double', (funcs.call('app:increment', n)))", modules="funcs")
    app = bench.load()
    converter = dataclasses.replace(DataConverter.default, payload_codec=SealingCodec())
    client = await Client.connect(bench.address, data_converter=converter)

    async def connect(entry: Any) -> Client:
        return client

    async with serve(app, connect):
        result = await client.execute_workflow("app:wf", 20, id=f"codec-{uuid.uuid4().hex[:8]}", task_queue=bench.queue)
    assert result == 42
