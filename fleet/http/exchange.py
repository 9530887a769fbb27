"""One HTTP request and the response to it, as the Lua module ``http`` sees them (spec/lua_api.md, section 15)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl

from aiohttp import hdrs, web
from temporalio.api.common.v1 import Payload

from fleet._core import LuaError
from fleet.modules import Caller, RequestFailed
from fleet.modules.caller import raw, text

from .bodies import MAX_BODY, Body, Refused, read_stored
from .reply import Reply

T = TypeVar("T")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FRAMING = frozenset(("content-length", "transfer-encoding", "connection", "upgrade", "trailer"))
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LINE_BREAK = re.compile(rb"\r\n|\r|\n")


class Exchange:
    """What a handler has to do with one client.

    Attributes:
        request: as it came.
        remote: address of the client, ``host:port``; ``real_ip`` puts the one behind the proxies here.
        params: values of the route's parameters.
        endpoint: id of the endpoint that answers; empty when none does.
        reply: the response.
        fault: status and message of what was wrong with the request's body, once the script has been told.
        operations, requests: what the Lua module may ask for, by name (fleet.modules.http_exchange).
    """

    operations: ClassVar[Mapping[str, Callable[..., Any]]]
    requests: ClassVar[Mapping[str, Callable[..., Awaitable[Any]]]]

    def __init__(
        self,
        request: web.BaseRequest,
        *,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
    ) -> None:
        self.request = request
        self.remote = _address(request)
        self.params: Mapping[str, bytes] = {}
        self.endpoint = ""
        self.reply = Reply(request, write_timeout)
        self.fault: tuple[int, str] | None = None
        self._body = Body(request, read_timeout)
        self._events = False

    # ---- the request

    def _facts(self, call: Caller) -> dict[str, Any]:
        request = self.request
        headers: dict[str, bytes] = {}
        for name, value in request.headers.items():
            _join(headers, name.lower(), b", ", value.encode("utf-8", "surrogateescape"))
        query: dict[str, bytes] = {}
        for key, found in parse_qsl(request.rel_url.raw_query_string.encode(), keep_blank_values=True):
            _join(query, text(key), b",", found)
        return {
            "method": request.method,
            "path": request.path,
            "host": request.host,
            "remote": self.remote,
            "query": query,
            "headers": headers,
            "params": dict(self.params),
            "length": self._body.length,
            "has_body": self._body.exists,
        }

    def _blame(self, call: Caller, status: int, message: str | bytes) -> None:
        self.fault = (status, text(message))

    async def _whole(self, call: Caller, limit: int | None, seconds: float | None) -> bytes:
        return await self._told(self._body.whole(call, MAX_BODY if limit is None else limit, seconds))

    def _open(self, call: Caller, limit: int | None) -> bool | LuaError:
        try:
            self._body.open(MAX_BODY if limit is None else limit)
        except RequestFailed as failed:
            return failed.error
        return True

    async def _read(self, call: Caller, size: int, seconds: float | None) -> bytes | None:
        return await self._told(self._body.read(size, seconds))

    async def _form(self, call: Caller, limit: int | None, seconds: float | None) -> dict[str, Any]:
        return await self._told(self._body.form(call, MAX_BODY if limit is None else limit, seconds))

    async def _file(self, call: Caller, number: int, start: int, size: int | None) -> bytes | None:
        store = call.kept(number)
        data = read_stored(store, start, size, call.room)
        return data or (None if size is not None else b"")

    async def _told(self, reading: Awaitable[T]) -> T:
        """A failure that is the client's fault is kept, for a handler that passes it on unchanged."""
        try:
            return await reading
        except Refused as refused:
            self.fault = (refused.status, str(refused))
            raise refused.error from None

    # ---- the response

    def _status(self, call: Caller, status: int) -> LuaError | None:
        if self.reply.head_is_fixed:
            return _sent()
        if not 200 <= status <= 599:
            return _invalid(f"a response cannot have the status {status}: expected 200 to 599")
        self.reply.status = status
        self.reply.touched = True
        return None

    def _header(self, call: Caller, name: str | bytes, value: str | bytes) -> LuaError | None:
        if self.reply.head_is_fixed:
            return _sent()
        name = text(name)
        if not _TOKEN.fullmatch(name):
            return _invalid(f'"{name}" cannot be the name of a header')
        if name.lower() in _FRAMING:
            return _invalid(f"the header {name} is set by the server, which knows how the response travels")
        if not isinstance(value, str):
            return _invalid(f"header {name}: a value must be UTF-8")
        if _CONTROL.search(value):
            return _invalid(f"header {name}: a value cannot have line breaks or other control characters")
        # Each cookie is a header of its own.
        (self.reply.headers.add if name.lower() == "set-cookie" else self.reply.headers.__setitem__)(name, value)
        self.reply.touched = True
        return None

    def _write(self, call: Caller, data: str | bytes, content_type: str | None) -> bool | LuaError:
        if self._events:
            return _invalid("the response is a stream of events: use write_event")
        if content_type and not self.reply.head_is_fixed:
            self.reply.headers.setdefault(hdrs.CONTENT_TYPE, content_type)
        return self.reply.write(raw(data))

    def _transfer(self, call: Caller, mode: str | bytes) -> LuaError | None:
        """``chunked`` needs nothing but the flush that follows; ``sse`` sets the headers of an event stream."""
        if mode not in ("chunked", "sse"):
            return _invalid(f'unknown transfer "{text(mode)}": expected http.TRANSFER.CHUNKED or http.TRANSFER.SSE')
        if self.reply.head_is_fixed:
            return _sent()
        self.reply.touched = True
        if mode == "sse":
            self._events = True
            self.reply.headers[hdrs.CONTENT_TYPE] = "text/event-stream"
            self.reply.headers.setdefault(hdrs.CACHE_CONTROL, "no-cache")
            # Proxies that collect responses would keep the events back.
            self.reply.headers.setdefault("X-Accel-Buffering", "no")
        return None

    def _event(self, call: Caller, name: str | bytes, data: str | bytes) -> LuaError | None:
        if not self._events:
            wrong = self._transfer(call, "sse")
            if wrong is not None:
                return wrong
        if _LINE_BREAK.search(raw(name)):
            return _invalid("the name of an event cannot have line breaks")
        lines = b"".join(b"data: " + line + b"\n" for line in _LINE_BREAK.split(raw(data)))
        self.reply.write(b"event: " + raw(name) + b"\n" + lines + b"\n")
        return None

    async def _send(self, call: Caller) -> None:
        await self.reply.send()

    def returned(self, result: bytes) -> bool:
        """Answer with a handler's result, an encoded payload: bytes as they are, everything else as JSON.

        False when there is none.
        """
        payload = Payload.FromString(result)
        encoding = payload.metadata.get("encoding")
        if encoding == b"binary/null":
            return False
        kind = "application/json" if encoding == b"json/plain" else "application/octet-stream"
        self.reply.headers[hdrs.CONTENT_TYPE] = kind
        self.reply.write(payload.data)
        return True


Exchange.operations = {
    "request": Exchange._facts,
    "response": lambda exchange, call: True,
    "fault": Exchange._blame,
    "open": Exchange._open,
    "status": Exchange._status,
    "header": Exchange._header,
    "write": Exchange._write,
    "transfer": Exchange._transfer,
    "event": Exchange._event,
}
Exchange.requests = {
    "body": Exchange._whole,
    "read": Exchange._read,
    "form": Exchange._form,
    "file": Exchange._file,
    "send": Exchange._send,
}


def _sent() -> LuaError:
    return _invalid("headers already sent: set status and headers before the first write")


def _invalid(message: str) -> LuaError:
    return LuaError(message, "INVALID", False, {"code": "INVALID_STATE"})


def _join(values: dict[str, bytes], name: str, separator: bytes, value: bytes) -> None:
    values[name] = values[name] + separator + value if name in values else value


def _address(request: web.BaseRequest) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    if not isinstance(peer, tuple):
        return ""
    host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
    return f"{host}:{peer[1]}"
