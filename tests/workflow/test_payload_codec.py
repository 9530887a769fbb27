"""Payload codecs that depend on where a payload belongs: both sides are told the same (temporalio's contexts)."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client, HeaderCodecBehavior
from temporalio.common import SearchAttributeKey
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from fleet.server.registration import ensure_search_attributes
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


async def test_codec_is_told_the_workflow_that_a_payload_goes_to(bench: Any) -> None:
    bench.workflow(
        "local n = ... return n + process.listen('more'):receive() + process.listen('most'):receive()", name="child"
    )
    bench.workflow(
        """
    local events, n = process.events(), ...
    if n < 20 then workflow.continue_as_new(n + 10) end
    local spawner = process.with_options({["workflow.memo"] = {note = "n"}}):with_name(workflow.info().run_id)
    local pid = assert(spawner:spawn("app:child", "app:worker", n))
    assert(process.send(pid, "more", 1))
    spawner:with_message("most", 1):spawn("app:child", "app:worker", n)
    local result = events:receive().result
    return result.value or error(result.error)
    """,
        modules="workflow",
    )
    app = bench.load()
    converter = dataclasses.replace(DataConverter.default, payload_codec=SealingCodec())
    client = await Client.connect(bench.address, data_converter=converter)

    async def connect(entry: Any) -> Client:
        return client

    async with serve(app, connect):
        result = await client.execute_workflow("app:wf", 10, id=f"codec-{uuid.uuid4().hex[:8]}", task_queue=bench.queue)
    assert result == 22


class Marking(PayloadCodec):
    """Seals what is not sealed yet."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata={"encoding": b"binary/sealed"}, data=p.SerializeToString()) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        sealed = b"binary/sealed"
        return [Payload.FromString(p.data) if p.metadata["encoding"] == sealed else p for p in payloads]


async def test_a_client_can_have_headers_sealed_as_well(bench: Any) -> None:
    bench.workflow("return process.inbox():receive():payload():data()", name="child")
    bench.workflow(
        """
    if ... then return process.listen("m"):receive() end
    local spawner = process.with_context({tenant = "acme"}):with_message("m", "secret")
    assert(spawner:exec("app:child", "app:worker") == "secret")
    process.send(process.pid(), "m", "unread")
    workflow.continue_as_new(true)
    """,
        modules="workflow",
    )
    app = bench.load()
    converter = dataclasses.replace(DataConverter.default, payload_codec=Marking())
    client = await Client.connect(
        bench.address, data_converter=converter, header_codec_behavior=HeaderCodecBehavior.CODEC
    )

    async def connect(entry: Any) -> Client:
        return client

    async with serve(app, connect):
        id = f"codec-{uuid.uuid4().hex[:8]}"
        assert await client.execute_workflow("app:wf", id=id, task_queue=bench.queue) == "unread"
    # A client without the codec sees what the server has.
    history = await (await bench.client()).get_workflow_handle(id).fetch_history()
    fields = history.events[0].workflow_execution_started_event_attributes.header.fields
    assert {payload.metadata["encoding"] for payload in fields.values()} == {b"binary/sealed"}
    assert "lua-fleet-unread" in fields


async def test_queries_updates_and_memo_are_sealed_and_search_attributes_are_not(bench: Any) -> None:
    """The server indexes search attributes, so nobody may seal them."""
    bench.search_attributes = {"customer_id": "Keyword"}
    await ensure_search_attributes(await bench.client(), "default", bench.search_attributes)
    bench.workflow(
        """
    workflow.set_query("status", "waiting")
    workflow.attrs({search = {customer_id = "c-1"}, memo = {note = "secret"}})
    local msg = process.inbox():receive()
    process.send(msg:from(), "ok", msg:payload():data() + 1)
    process.inbox():receive()
    """,
        modules="workflow",
    )
    app = bench.load()
    converter = dataclasses.replace(DataConverter.default, payload_codec=SealingCodec())
    client = await Client.connect(bench.address, data_converter=converter)
    plain = await bench.client()

    async def connect(entry: Any) -> Client:
        return client

    async with serve(app, connect):
        handle = await client.start_workflow("app:wf", id=f"codec-{uuid.uuid4().hex[:8]}", task_queue=bench.queue)
        assert await handle.execute_update("add", 1) == 2
        assert await handle.query("status") == "waiting"
        assert "coroutine 1 waits in channel:receive" in await handle.query("__stack_trace")
        assert await (await handle.describe()).memo() == {"note": "secret"}
        seen = await plain.get_workflow_handle(handle.id).describe()
        assert seen.raw_description.workflow_execution_info.memo.fields["note"].metadata["encoding"] == b"binary/sealed"
        assert seen.typed_search_attributes[SearchAttributeKey.for_keyword("customer_id")] == "c-1"
        await handle.signal("finish")
        await handle.result()
