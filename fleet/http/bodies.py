"""The body of a request: whole, as a stream, or as the parts of a form (spec/lua_api.md, section 15)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from fleet.modules import Caller, RequestFailed

MAX_BODY = 120 << 20
"""Bytes that a body may have when the script does not say otherwise."""

_PIECE = 1 << 16
_MOST_READ = 8 << 20
_IN_MEMORY = 1 << 20
_MOST_PARTS = 1000


class Refused(Exception):
    """A body that is the client's fault; ``status`` is what a handler answers that does not care."""

    def __init__(self, status: int, kind: str, message: str, code: str = "PARSE_FAILED") -> None:
        super().__init__(message)
        self.status = status
        self.error = RequestFailed(kind, message, details={"code": code})


class Body:
    """The body of one request; it comes over the network once, and so can be read once."""

    def __init__(self, request: web.BaseRequest, read_timeout: float | None) -> None:
        self._request = request
        self._read_timeout = read_timeout
        self._taken = ""

    @property
    def exists(self) -> bool:
        """Does the request have a body, empty ones left out?"""
        return self._request.body_exists and self.length != 0

    @property
    def length(self) -> int:
        """Its length in bytes, -1 when the client did not say (chunked), 0 when there is none."""
        if not self._request.body_exists:
            return 0
        given = self._request.content_length
        return -1 if given is None else given

    async def whole(self, call: Caller, limit: int, seconds: float | None) -> bytes:
        """All of it. Raises Refused, RequestFailed."""
        if not self.exists:
            raise RequestFailed("INVALID", "the request has no body", details={"code": "INVALID_STATE"})
        self._take("body")
        limit = min(limit, call.room)
        self._check_length(limit)
        data = bytearray()
        async with self._reading(seconds):
            async for piece in self._request.content.iter_chunked(_PIECE):
                data += piece
                if len(data) > limit:
                    raise _too_large(limit)
        return bytes(data)

    def open(self, limit: int) -> None:
        """Begin to read piece by piece. Raises RequestFailed."""
        self._take("stream")
        self._left = limit

    async def read(self, size: int, seconds: float | None) -> bytes | None:
        """The next bytes, at most ``size``; None at the end. Raises Refused, RequestFailed."""
        async with self._reading(seconds):
            data = await self._request.content.read(min(size, _MOST_READ))
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(self._left + len(data))
        return data or None

    async def form(self, call: Caller, limit: int, seconds: float | None) -> dict[str, Any]:
        """Values and files of a form, ``multipart/form-data`` or URL-encoded: ``{values, files}``.

        A name that comes several times has a list of values. Each file is ``{number, name, size, type, headers}``,
        its content kept outside Lua under the number.
        """
        kind = (self._request.content_type or "").lower()
        if kind == "application/x-www-form-urlencoded":
            return {"values": _fields(await self.whole(call, limit, seconds)), "files": {}}
        if kind != "multipart/form-data":
            shown = kind if hdrs.CONTENT_TYPE in self._request.headers else "no content type"
            raise Refused(400, "INVALID", f"the request is no form: expected multipart/form-data, got {shown}")
        self._take("form")
        self._check_length(limit)
        values: dict[str, Any] = {}
        files: dict[str, list[dict[str, Any]]] = {}
        left = limit
        async with self._reading(seconds):
            count = 0
            async for part in await self._request.multipart():
                count += 1
                if not isinstance(part, aiohttp.BodyPartReader) or not part.name or count > _MOST_PARTS:
                    raise Refused(400, "INVALID", f"malformed form: part {count} has no name, or there are too many")
                if part.filename is None:
                    content = b"".join([piece async for piece in _pieces(part, min(left, call.room), limit)])
                    left -= len(content)
                    _add(values, part.name, content)
                else:
                    store, size = await _stored(part, left, limit)
                    left -= size
                    files.setdefault(part.name, []).append(
                        {
                            "number": call.keep(store, store.close),
                            "name": part.filename,
                            "size": size,
                            "type": part.headers.get(hdrs.CONTENT_TYPE, "application/octet-stream"),
                            "headers": {name.lower(): value for name, value in part.headers.items()},
                        }
                    )
        return {"values": values, "files": files}

    def _take(self, how: str) -> None:
        if self._taken:
            raise RequestFailed(
                "INVALID",
                f"the body has been read already, as {self._taken}: it can be read once",
                details={"code": "INVALID_STATE"},
            )
        self._taken = how

    def _check_length(self, limit: int) -> None:
        if self.length > limit:
            raise _too_large(limit)

    @asynccontextmanager
    async def _reading(self, seconds: float | None) -> AsyncIterator[None]:
        limit = seconds if seconds is not None else self._read_timeout
        try:
            await self._continue()
            async with asyncio.timeout(limit):
                yield
        except TimeoutError:
            text = f"the body had not arrived after {limit:g} s"
            raise Refused(408, "INTERNAL", text, "STREAM_ERROR") from None
        except (aiohttp.ClientError, ConnectionError) as error:
            text = f"the body cannot be read: {str(error) or type(error).__name__}"
            raise Refused(400, "INTERNAL", text, "STREAM_ERROR") from None
        except (ValueError, web.RequestPayloadError, HttpProcessingError) as error:
            said = error.message if isinstance(error, HttpProcessingError) else str(error)
            raise Refused(400, "INVALID", f"malformed body: {said}") from None

    async def _continue(self) -> None:
        """Clients with large bodies ask first whether anybody wants them."""
        request = self._request
        asks = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
        begun = request.content.is_eof() or request.content.total_bytes
        if asks and not begun and request.transport is not None and request.version >= aiohttp.HttpVersion11:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def read_stored(store: IO[bytes], start: int, size: int | None, room: int) -> bytes:
    """Bytes of a file of a form: ``size`` from ``start`` on at most, all when None. Raises RequestFailed."""
    if size is None and store.seek(0, 2) - start > room:
        raise RequestFailed("INVALID", "the file is too large for the memory of a script: read its stream()")
    store.seek(start)
    return store.read(-1 if size is None else min(size, _MOST_READ))


def _too_large(limit: int) -> Refused:
    return Refused(413, "INVALID", f"the request body is larger than {limit} bytes")


async def _pieces(part: aiohttp.BodyPartReader, left: int, limit: int) -> AsyncIterator[bytes]:
    while piece := await part.read_chunk(_PIECE):
        left -= len(piece)
        if left < 0:
            raise _too_large(limit)
        yield part.decode(piece)


async def _stored(part: aiohttp.BodyPartReader, left: int, limit: int) -> tuple[IO[bytes], int]:
    # Not in Lua memory: a file may be larger than a script.
    store = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 the script reads it, the call closes it
    size = 0
    try:
        async for piece in _pieces(part, left, limit):
            store.write(piece)
            size += len(piece)
    except BaseException:
        store.close()
        raise
    store.seek(0)
    return store, size


def _fields(data: bytes) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in parse_qsl(data, keep_blank_values=True, max_num_fields=_MOST_PARTS):
        _add(values, name.decode("utf-8", "replace"), value)
    return values


def _add(values: dict[str, Any], name: str, value: bytes) -> None:
    if name not in values:
        values[name] = value
    elif isinstance(values[name], list):
        values[name].append(value)
    else:
        values[name] = [values[name], value]
