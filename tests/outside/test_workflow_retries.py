"""A start whose answer is lost is repeated, and its messages arrive once (decision 22)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from outside import COLLECT, SENDER, Outside
from temporalio.service import RPCError


class Line:
    """A line to the server on which answers can be lost."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._writers: set[asyncio.StreamWriter] = set()
        self.address = ""
        self.loses_answers = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Line]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """Close the connections, and lose no answers on the next."""
        self.loses_answers = False
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        self._writers |= {writer, far_writer}
        with contextlib.suppress(ConnectionError, OSError):
            await asyncio.gather(self._pump(reader, far_writer, False), self._pump(far_reader, writer, True))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: bool) -> None:
        while data := await reader.read(65536):
            if answers and self.loses_answers:
                continue
            writer.write(data)
            await writer.drain()
        writer.close()


@pytest.mark.parametrize("policy", [1, 2])
@pytest.mark.parametrize("count", [1, 3])
async def test_a_lost_answer(bench: Any, policy: int, count: int) -> None:
    bench.workflow(COLLECT)
    app = bench.load()
    direct = await bench.client()
    async with Line(bench.address).open() as line, bench.serving(app):
        outside, name = Outside(app, line.address), f"lost-{uuid.uuid4().hex[:8]}"
        await outside.workflows.follow("app:temporal", "nobody")
        line.loses_answers = True
        messages = [("m", [i]) for i in range(count)]
        starting = asyncio.create_task(outside.start("in", name=name, messages=messages, id_conflict_policy=policy))
        while True:
            with contextlib.suppress(RPCError):
                described = await direct.get_workflow_handle(name).describe()
                break
            await asyncio.sleep(0.02)
        line.cut()
        started = await starting
        assert started.run_id == described.run_id
        await outside.send(started, "finish")
        assert await outside.result(started) == {"input": "in", "got": [["m", i, SENDER] for i in range(count)]}
