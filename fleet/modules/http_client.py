"""The Lua module ``http_client`` on aiohttp (spec/lua_api.md, section 16), which is imported by the first request.

One session per process and one per unix socket, without cookies of its own: what one script sends or gets is no other
script's business. The proxies of the environment are not used unless the script asks for them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote_to_bytes

from fleet._core import LuaError

from .caller import Caller, RequestFailed, raw
from .http_options import RequestOptions, read_options

if TYPE_CHECKING:
    import aiohttp

_PIECE = 1 << 16
_MOST_READ = 8 << 20


async def request(call: Caller, method: str | bytes, url: str | bytes, options: Any) -> dict[str, Any]:
    """One exchange: ``{status_code, body, body_size, headers, cookies, url, stream}``.

    Every status is a success. Raises RequestFailed: INVALID for arguments, INTERNAL (retryable) for the transport.
    """
    import aiohttp

    wanted = read_options(method, url, options)
    try:
        async with asyncio.timeout(wanted.timeout):
            response = await _send(call, wanted)
            if not wanted.stream:
                async with response:
                    return _result(response, await _read_all(response, min(wanted.max_response_body, call.room)))
    except TimeoutError:
        raise _failed(wanted, f"timed out after {wanted.timeout:g} s") from None
    except aiohttp.TooManyRedirects:
        raise _failed(wanted, f"more than {wanted.max_redirects} redirects") from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise RequestFailed("INVALID", f"invalid URL: {error}") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _failed(wanted, str(error) or type(error).__name__) from None
    number = call.keep((response, wanted), response.close)
    return {**_result(response, None), "stream": number}


async def request_batch(call: Caller, requests: Any) -> list[dict[str, Any] | LuaError]:
    """Several requests at the same time; a result or an error for each."""

    async def one(spec: Any) -> dict[str, Any] | LuaError:
        try:
            return await request(call, *spec)
        except RequestFailed as failed:
            return failed.error

    return await asyncio.gather(*(one(spec) for spec in requests))


async def read(call: Caller, number: int, size: int) -> bytes | None:
    """The next bytes of a stream, at most ``size``; None at its end."""
    import aiohttp

    kept = call.kept(number)
    if kept is None:
        raise RequestFailed("INVALID", "the stream is closed")
    response, wanted = kept
    try:
        async with asyncio.timeout(wanted.timeout):
            data: bytes = await response.content.read(min(size, _MOST_READ))
    except TimeoutError:
        raise _failed(wanted, f"no data for {wanted.timeout:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise _failed(wanted, str(error) or type(error).__name__) from None
    if data:
        return data
    call.drop(number)
    return None


def close(call: Caller, number: int) -> None:
    """End a stream, and with it its connection if there is more to come."""
    call.drop(number)


def uri_encode(data: str | bytes) -> str:
    """A text for use in a query: letters, digits and ``-_.~`` as they are, a space as ``+``, other bytes as ``%XX``."""
    return quote_plus(raw(data))


def uri_decode(data: str | bytes) -> bytes | LuaError:
    """The text that ``uri_encode`` was given."""
    encoded = raw(data).replace(b"+", b" ")
    parts = encoded.split(b"%")[1:]
    if any(len(part) < 2 or not all(char in b"0123456789abcdefABCDEF" for char in part[:2]) for part in parts):
        return LuaError("invalid escape: two hexadecimal digits must follow each %", "INVALID", False)
    return unquote_to_bytes(encoded)


async def _send(call: Caller, wanted: RequestOptions) -> aiohttp.ClientResponse:
    import aiohttp

    extra: dict[str, Any] = {}
    if wanted.tls is not None:
        extra["ssl"] = call.shared.once(f"tls:{wanted.tls}", wanted.tls.context, _nothing)
        if wanted.tls.server_name:
            extra["server_hostname"] = wanted.tls.server_name
    if isinstance(wanted.body, bytes):
        extra["skip_auto_headers"] = (aiohttp.hdrs.CONTENT_TYPE,)
    return await _session(call, wanted.unix_socket).request(
        wanted.method,
        wanted.url,
        headers=wanted.headers,
        data=wanted.body,
        proxy=wanted.proxy,
        allow_redirects=wanted.max_redirects > 0,
        max_redirects=max(wanted.max_redirects, 1),
        **extra,
    )


def _session(call: Caller, unix_socket: str) -> aiohttp.ClientSession:
    import aiohttp

    def make() -> aiohttp.ClientSession:
        # Scripts are bounded by the slots of their worker; a wait for a connection would eat up their timeouts.
        connector = aiohttp.UnixConnector(unix_socket, limit=0) if unix_socket else aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={aiohttp.hdrs.USER_AGENT: "lua-fleet"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
        )

    return call.shared.once(f"http:{unix_socket}", make, aiohttp.ClientSession.close)


async def _nothing(resource: Any) -> None:
    """A resource that needs no closing."""


async def _read_all(response: aiohttp.ClientResponse, limit: int) -> bytes:
    pieces, size = [], 0
    while piece := await response.content.read(_PIECE):
        size += len(piece)
        if size > limit:
            response.close()
            raise RequestFailed(
                "INTERNAL", f"the response of {response.url} is larger than {limit} bytes: read it with stream = true"
            )
        pieces.append(piece)
    return b"".join(pieces)


def _result(response: aiohttp.ClientResponse, body: bytes | None) -> dict[str, Any]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        headers.setdefault("-".join(part.capitalize() for part in name.split("-")), value)
    result: dict[str, Any] = {
        "status_code": response.status,
        "headers": headers,
        "cookies": {name: morsel.value for name, morsel in response.cookies.items()},
        "url": str(response.url),
    }
    if body is not None:
        result["body_size"] = len(body)
        result["body"] = body or None
    else:
        result["body_size"] = response.content_length if response.content_length is not None else -1
    return result


def _failed(wanted: RequestOptions, reason: str) -> RequestFailed:
    # Without the query, which may hold what should not be in a log.
    place = wanted.url.with_query(None).with_user(None)
    return RequestFailed("INTERNAL", f"{wanted.method} {place}: {reason}", retryable=True)


HOST: dict[str, Any] = {"uri_encode": uri_encode, "uri_decode": uri_decode}
CALL_HOST: dict[str, Any] = {"http_close": close}
REQUESTS: dict[str, Any] = {"http": request, "http_batch": request_batch, "http_read": read}
