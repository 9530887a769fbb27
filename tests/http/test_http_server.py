"""Routing, connections, and how a server stops (spec/registry.md, sections 5 and 6)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from http_apps import write_http_app
from tls_endpoint import Authority

from fleet.activity import Functions
from fleet.http import ListenError, http_servers
from fleet.registry import load_app

Client = aiohttp.ClientSession


async def answer(client: Client, server: Any, method: str, path: str) -> tuple[int, str, str | None]:
    async with client.request(method, f"{server.url}{path}") as response:
        return response.status, await response.text(), response.headers.get("Allow")


def named(name: str) -> str:
    return f"return {{'{name}', http.request():params()}}"


async def test_routes(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {
            "GET /": named("root"),
            "GET /orders/{id}": named("one"),
            "POST /orders": named("new"),
            "GET /orders/open": named("open"),
            "GET /orders/{id}/lines/:line": named("line"),
            "GET /files/{path...}": named("files"),
            "GET /files/a": named("file a"),
            "DELETE /files/{name}": named("delete"),
            "OPTIONS /own": "http.response():status(200):text('mine')",
        },
        extra="""  - name: top
    kind: http.router
    meta: {server: gateway}
  - name: ping
    kind: http.endpoint
    meta: {router: top}
    func: h0
    method: GET
    path: /ping
""",
    )
    for path, expected in {
        "/api": '["root",{}]',
        "/api/": '["root",{}]',
        "/api/orders/7": '["one",{"id":"7"}]',
        "/api/orders/open": '["open",{}]',
        "/api/orders/open/lines/2": '["line",{"id":"open","line":"2"}]',
        "/api/files": '["files",{"path":""}]',
        "/api/files/a": '["file a",{}]',
        "/api/files/a/b": '["files",{"path":"a/b"}]',
        "/ping": '["root",{}]',
    }.items():
        assert (await answer(client, server, "GET", path))[:2] == (200, expected.replace("{}", "[]"))
    for path in ("/", "/api/nothing", "/api/orders//lines/2", "/apis", "/api/ping"):
        assert await answer(client, server, "GET", path) == (404, "404 not found", None)
    assert await answer(client, server, "PUT", "/api/orders/7") == (
        405,
        "405 method not allowed",
        "GET, HEAD, OPTIONS",
    )
    assert await answer(client, server, "GET", "/api/orders") == (405, "405 method not allowed", "OPTIONS, POST")
    assert await answer(client, server, "DELETE", "/api/files/a/b") == (
        405,
        "405 method not allowed",
        "GET, HEAD, OPTIONS",
    )
    assert (await answer(client, server, "DELETE", "/api/files/a"))[0] == 200
    assert await answer(client, server, "OPTIONS", "/api/orders") == (204, "", "OPTIONS, POST")
    assert (await answer(client, server, "OPTIONS", "/api/own"))[:2] == (200, "mine")
    assert (await answer(client, server, "OPTIONS", "/api/nothing"))[0] == 404
    async with client.head(f"{server.url}/api/orders/7") as response:
        assert (response.status, response.headers["Content-Length"], await response.text()) == (200, "18", "")


async def test_a_client_that_goes_away_cancels_the_call(serve_lua: Any, client: Client, tmp_path: Path) -> None:
    server = await serve_lua(
        {
            "GET /slow": "require('time').sleep('1h')",
            "GET /count": "return 1",
        }
    )
    functions = server._functions
    waiting = asyncio.ensure_future(client.get(f"{server.url}/api/slow"))
    while not functions.running:
        await asyncio.sleep(0.01)
    waiting.cancel()
    while functions.running:
        await asyncio.sleep(0.01)
    assert (await answer(client, server, "GET", "/api/count"))[:2] == (200, "1")


async def test_stopping_waits_for_requests_and_then_ends_them(
    serve_lua: Any, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve_lua(
        {
            "GET /short": "require('time').sleep('300ms') return 'done'",
            "GET /long": "require('time').sleep('1h')",
        },
        drain=1.0,
    )
    functions = server._functions
    short = asyncio.ensure_future(answer(client, server, "GET", "/api/short"))
    long = asyncio.ensure_future(answer(client, server, "GET", "/api/long"))
    while functions.running < 2:
        await asyncio.sleep(0.01)
    url = server.url
    stopping = asyncio.ensure_future(server.stop())
    await asyncio.sleep(0.05)
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.get(f"{url}/api/short")
    assert (await short)[:2] == (200, '"done"')
    assert (await long)[:2] == (503, "503 the server is stopping, try again")
    await stopping
    assert functions.running == 0
    assert "1 requests had not ended" in caplog.text
    # The port is free at once, and the same object serves again.
    await server.start()
    assert (await answer(client, server, "GET", "/api/short"))[:2] == (200, '"done"')


async def test_a_port_that_is_taken(serve_lua: Any, tmp_path: Path) -> None:
    server = await serve_lua({})
    (tmp_path / "second").mkdir()
    write_http_app(tmp_path / "second", {})
    text = (tmp_path / "second" / "_index.yaml").read_text().replace("127.0.0.1:0", f"127.0.0.1:{server.port}")
    (tmp_path / "second" / "_index.yaml").write_text(text)
    app = load_app(tmp_path / "second")
    async with Functions.open(app) as functions:
        (second,) = http_servers(functions)
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{server.port}: .*in use"):
            await second.start()


async def test_idle_connections_are_closed(serve_lua: Any) -> None:
    server = await serve_lua({}, service="timeouts: {idle: 100ms}")
    for request in (b"", b"GET /api HT"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request)
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


async def test_a_client_that_takes_nothing(serve_lua: Any, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve_lua(
        {
            "GET /big": """
        local res = http.response()
        for i = 1, 1000 do
            local err = res:write(string.rep('x', 1000000))
            if err then error(err) end
        end
    """
        },
        service="timeouts: {write: 200ms}",
    )
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /api/big HTTP/1.1\r\nHost: x\r\n\r\n")
    with caplog.at_level(logging.ERROR):
        while "the client took nothing for 0.2 s (timeouts.write)" not in caplog.text:
            await asyncio.sleep(0.02)
    writer.close()


async def test_a_client_that_does_not_take_the_last_piece(serve_lua: Any) -> None:
    server = await serve_lua(
        {"GET /big": "return string.rep('x', 20000000)"},
        service="timeouts: {write: 200ms}",
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /api/big HTTP/1.1\r\nHost: x\r\n\r\n")
    while not server._requests:
        await asyncio.sleep(0.005)
    while server._requests:
        await asyncio.sleep(0.02)
    got = 0
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(1 << 20):
            got += len(piece)
    assert got < 20_000_000
    writer.close()


async def test_a_body_where_there_can_be_none_is_not_sent(serve_lua: Any) -> None:
    server = await serve_lua(
        {
            "GET /204": "local r = http.response() r:status(204):text('x') r:flush() r:write('y')",
            "GET /304": "http.response():status(304):text('x')",
            "GET /next": "return 'next'",
        }
    )
    for method, path in (("GET", "204"), ("GET", "304"), ("HEAD", "204"), ("HEAD", "next")):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            f"{method} /api/{path} HTTP/1.1\r\nHost: x\r\n\r\nGET /api/next HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 ")
        assert await reader.readexactly(15) == b"HTTP/1.1 200 OK"
        writer.close()


async def test_requests_that_are_no_http(serve_lua: Any) -> None:
    server = await serve_lua({"GET /": "return 1"})
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /api HTTP/1.1\r\nbroken header\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.0 400 ")
    writer.close()


async def test_continue_is_said_to_those_who_ask(serve_lua: Any) -> None:
    server = await serve_lua({"POST /": "return http.request():body()"})
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ab")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    assert await reader.readexactly(4) == b'"ab"'
    writer.close()


async def test_tls_from_files_and_from_text(tmp_path: Path, client: Client) -> None:
    authority = Authority(tmp_path)
    authority.issue("127.0.0.1")
    clients = authority.issue("client")
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("stranger")
    for form in (
        "cert: 127.0.0.1.pem, key: 127.0.0.1.key, client_ca: ca.pem",
        "cert: 'file://127.0.0.1.pem', key: 'file://127.0.0.1.key', client_ca: 'file://ca.pem'",
    ):
        app = write_http_app(tmp_path, {"GET /": "return 1"}, service=f"tls: {{mode: manual, {form}}}")
        async with Functions.open(app) as functions:
            (server,) = http_servers(functions)
            await server.start()
            assert server.url.startswith("https://")
            trusted = ssl.create_default_context(cafile=str(authority.ca_file))
            with pytest.raises((aiohttp.ClientError, OSError)):
                await client.get(f"{server.url}/api", ssl=trusted)
            with pytest.raises((aiohttp.ClientError, OSError)):
                trusted.load_cert_chain(*stranger)
                await client.get(f"{server.url}/api", ssl=trusted)
            trusted = ssl.create_default_context(cafile=str(authority.ca_file))
            trusted.load_cert_chain(*clients)
            async with client.get(f"{server.url}/api", ssl=trusted) as response:
                assert await response.text() == "1"
            await server.stop()


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (
            "cert: none.crt, key: 127.0.0.1.key",
            "tls.cert and tls.key cannot be used: there is no such file",
        ),
        ("cert: 127.0.0.1.pem, key: ca.pem", "tls.cert and tls.key cannot be used: "),
        (
            "cert: 127.0.0.1.pem, key: 127.0.0.1.key, client_ca: _index.yaml",
            "tls.client_ca cannot be used: ",
        ),
    ],
)
async def test_certificates_that_cannot_be_used(tmp_path: Path, tls: str, message: str) -> None:
    Authority(tmp_path).issue("127.0.0.1")
    app = write_http_app(tmp_path, {}, service=f"tls: {{mode: manual, {tls}}}")
    async with Functions.open(app) as functions:
        (server,) = http_servers(functions)
        with pytest.raises(ListenError) as caught:
            await server.start()
    assert str(caught.value).startswith(message)


async def test_more_requests_than_there_is_room_for(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {"GET /": "require('time').sleep('200ms') return 1"}, service="host: {worker_count: 1, buffer_size: 2}"
    )
    functions = server._functions
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, functions.running)
            await asyncio.sleep(0.005)

    watching = asyncio.ensure_future(watch())
    answers = await asyncio.gather(*(answer(client, server, "GET", "/api") for _ in range(5)))
    watching.cancel()
    assert sorted(status for status, _, _ in answers) == [200, 200, 200, 503, 503]
    assert most == 1
    assert ("503 too many requests at once, try again") in {text for _, text, _ in answers}
    # Places are free again, also those of requests that went away while they waited.
    waiting = [asyncio.ensure_future(client.get(f"{server.url}/api")) for _ in range(3)]
    while server._admission._inside < 3:
        await asyncio.sleep(0.005)
    for task in waiting:
        task.cancel()
    while server._admission._inside:
        await asyncio.sleep(0.005)
    assert (await answer(client, server, "GET", "/api"))[0] == 200
