"""The response of an exchange: what the script sets, kept back until it must go out (decision 39).

What is written stays in memory until the script flushes, writes a lot, or ends: until then a failure can still become
a clean 500, and a short response has a Content-Length.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable

from aiohttp import hdrs, web
from multidict import CIMultiDict

from fleet.modules import RequestFailed

HELD = 64 << 10
"""Bytes that several writes may come to before they are sent."""

_SERVER = "lua-fleet"
_BODILESS = (204, 205, 304)


class Reply:
    """The response to one request.

    Attributes:
        status: None until the script says one; then 200 is meant.
        headers: as they will be sent.
        touched: has the script set or written anything?
        before_head: called just before the head goes out, in order, with this and the length of the body (None: it
            comes in pieces); may change ``headers`` and set ``encoder``.
        encoder: compresses the body, or None.
    """

    def __init__(self, request: web.BaseRequest, write_timeout: float | None) -> None:
        self.status: int | None = None
        self.headers: CIMultiDict[str] = CIMultiDict({hdrs.SERVER: _SERVER})
        self.touched = False
        self.before_head: list[Callable[[Reply, int | None], None]] = []
        self.encoder: zlib._Compress | None = None
        self._request = request
        self._write_timeout = write_timeout
        self._pieces: list[bytes] = []
        self._held = 0
        self._stream: web.StreamResponse | None = None
        self._wrote = False
        self._sending = asyncio.Lock()

    @property
    def head_is_fixed(self) -> bool:
        """Has a byte of the body been written? Then status and headers can be changed no more."""
        return self._wrote

    @property
    def on_the_wire(self) -> bool:
        """Has the client got something already?"""
        return self._stream is not None

    @property
    def has_body(self) -> bool:
        """May the response have one? Else its bytes would be taken for the next response of the connection."""
        return self._request.method != hdrs.METH_HEAD and self.status not in _BODILESS

    def write(self, data: bytes) -> bool:
        """Take a piece of the body. True: there is so much now that ``send`` should be awaited."""
        more = self._wrote and self._held + len(data) > HELD
        self.touched = self._wrote = True
        self._pieces.append(data)
        self._held += len(data)
        return more or self._stream is not None

    async def send(self) -> None:
        """Send head and body as far as they are there. Raises RequestFailed when the client takes nothing."""
        self.touched = self._wrote = True
        # Two coroutines of a script may write: the pieces keep their order, and the head goes out once.
        async with self._sending:
            try:
                async with asyncio.timeout(self._write_timeout):
                    if self._stream is None:
                        self._finish_head(None)
                        self._stream = web.StreamResponse(status=self.status or 200, headers=self.headers)
                        await self._stream.prepare(self._request)
                    data = b"".join(self._pieces)
                    self._pieces.clear()
                    self._held = 0
                    if data and self.encoder is not None:
                        data = self.encoder.compress(data) + self.encoder.flush(zlib.Z_SYNC_FLUSH)
                    if data and self.has_body:
                        await self._stream.write(data)
            except TimeoutError:
                self.abort()
                text = f"the client took nothing for {self._write_timeout:g} s (timeouts.write)"
                raise RequestFailed("TIMEOUT", text, details={"code": "WRITE_FAILED"}) from None
            except ConnectionError:
                text = "the client has closed the connection"
                raise RequestFailed("UNAVAILABLE", text, details={"code": "WRITE_FAILED"}) from None

    async def finish(self) -> web.StreamResponse:
        """Send what is left and end the response; a client that has gone or takes nothing is cut off."""
        response, tail = self._stream, b""
        try:
            if response is not None:
                await self.send()
                tail = self.encoder.flush() if self.encoder is not None else b""
            else:
                response = await self._whole()
            async with asyncio.timeout(self._write_timeout):
                await response.prepare(self._request)
                await response.write_eof(tail)
        except (RequestFailed, ConnectionError, TimeoutError):
            self.abort()
        assert response is not None
        return response

    async def _whole(self) -> web.Response:
        body = b"".join(self._pieces)
        self._finish_head(len(body))
        if self.encoder is not None:
            body = await asyncio.to_thread(_encoded, self.encoder, body)
        return web.Response(status=self.status or 200, headers=self.headers, body=body)

    def replace(self, status: int, text: str) -> None:
        """Forget what has not been sent and answer with a line of plain text."""
        self._pieces = [text.encode()]
        self.status = status
        self.headers = CIMultiDict({hdrs.SERVER: _SERVER, hdrs.CONTENT_TYPE: "text/plain; charset=utf-8"})
        if status >= 500:
            self.headers[hdrs.CACHE_CONTROL] = "no-store"

    def abort(self) -> None:
        """End the connection, so that the client does not take half a response for a whole one."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def _finish_head(self, length: int | None) -> None:
        if hdrs.CONTENT_TYPE not in self.headers and self._pieces:
            self.headers[hdrs.CONTENT_TYPE] = _type_of(self._pieces[0])
        for hook in self.before_head:
            hook(self, length)


def _encoded(encoder: zlib._Compress, body: bytes) -> bytes:
    return encoder.compress(body) + encoder.flush()


def _type_of(data: bytes) -> str:
    try:
        data[:512].decode()
    except UnicodeDecodeError as error:
        # The end of the sample may cut a character in two.
        if error.end < min(len(data), 512) or len(data) <= 512:
            return "application/octet-stream"
    return "text/plain; charset=utf-8"
