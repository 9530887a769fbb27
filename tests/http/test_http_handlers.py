"""What handlers read and write (spec/lua_api.md, section 15; spec/registry.md, section 5; decision 39)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
import pytest

Client = aiohttp.ClientSession

KIND = "local function e(v, err) return {value = v, kind = err and err:kind(), text = err and err:message()} end\n"


async def get(client: Client, server: Any, path: str, **options: Any) -> tuple[int, str]:
    async with client.get(f"{server.url}/api{path}", **options) as response:
        return response.status, await response.text()


async def post(client: Client, server: Any, path: str, **options: Any) -> tuple[int, Any]:
    async with client.post(f"{server.url}/api{path}", **options) as response:
        return response.status, await response.text()


async def test_the_handler_of_the_document(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {
            "POST /orders": """
        local req = http.request()
        local order = json.decode(req:body())
        if order.id == "taken" then
            return http.response():status(409):json({error = "taken " .. tostring(req:header("X-Request-ID"))})
        end
        return http.response():status(202):json({workflow_id = order.id, status = "started"})
    """
        }
    )
    async with client.post(f"{server.url}/api/orders", json={"id": "7"}) as response:
        assert (response.status, await response.json()) == (202, {"workflow_id": "7", "status": "started"})
        assert response.headers["Content-Type"] == "application/json"
        assert "Content-Length" in response.headers
        assert response.headers["Server"] == "lua-fleet"
    status, body = await post(client, server, "/orders", json={"id": "taken"}, headers={"x-request-id": "r1"})
    assert (status, body) == (409, '{"error":"taken r1"}')


async def test_both_styles(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {
            "GET /plain": """
        local res = http.response()
        res:set_status(http.STATUS.CREATED)
        res:set_header("X-A", "1")
        res:set_content_type("text/html")
        res:write("<p>")
        res:write("ü")
    """,
            "GET /json": "local res = http.response(); res:set_status(201); res:write_json({a = 1})",
            "GET /chain": 'return http.response():header("X-A", "1"):status(201):text("hi")',
            "GET /late": 'local r = http.response(); r:header("X-A", "1"):body("\\255\\0x"):body("more")',
            "GET /status": "http.response():set_status(204)",
            "GET /cookies": """
        local r = http.response()
        r:set_header("Set-Cookie", "a=1"); r:set_header("Set-Cookie", "b=2")
        r:set_header("X-A", "1"); r:set_header("X-A", "2")
    """,
        }
    )
    for path, expected in {
        "/plain": (201, "text/html", b"<p>\xc3\xbc"),
        "/json": (201, "application/json", b'{"a":1}'),
        "/chain": (201, "text/plain", b"hi"),
        "/late": (200, "application/octet-stream", b"\xff\0xmore"),
        "/status": (204, "application/octet-stream", b""),
    }.items():
        async with client.get(f"{server.url}/api{path}") as response:
            assert (response.status, response.content_type, await response.read()) == expected
    async with client.get(f"{server.url}/api/cookies") as response:
        assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert response.headers.getall("X-A") == ["2"]


async def test_outcomes_without_a_written_response(
    serve_lua: Any, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve_lua(
        {
            "GET /value": "return {a = {1, 2}}",
            "GET /false": "return false",
            "GET /bytes": "return '\\255'",
            "GET /nothing": "",
            "GET /thrown": "error('the password is hunter2')",
            "GET /returned": "return nil, errors.new{kind = 'NOT_FOUND', message = 'hunter2'}",
            "GET /half": "http.response():status(200):text('half'); error('hunter2')",
            "GET /written": "http.response():status(422):text('no'); return nil, 'hunter2'",
            "GET /endless": "local s = 'x' while true do s = s .. s end",
        }
    )
    assert await get(client, server, "/value") == (200, '{"a":[1,2]}')
    assert await get(client, server, "/false") == (200, "false")
    async with client.get(f"{server.url}/api/bytes") as response:
        assert (response.content_type, await response.read()) == ("application/octet-stream", b"\xff")
    status, body = await get(client, server, "/nothing")
    assert status == 500 and body.startswith("500 no response sent (request ")
    for path in ("/thrown", "/returned", "/half", "/endless"):
        caplog.clear()
        status, body = await get(client, server, path)
        assert status == 500 and body.startswith("500 internal error (request ")
        id = body.removesuffix(")").rpartition(" ")[2]
        (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert id in line and f"GET /api{path}" in line and ("hunter2" in line or path == "/endless")
    assert await get(client, server, "/written") == (422, "no")


async def test_what_a_request_says(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {
            "POST /a/{id}/{rest...}": """
        local q = http.request()
        return {
            q:method(), q:path(), q:host(), q:remote_addr(), q:query("x"), q:query("none") == nil, q:query_params(),
            q:header("x-many"), q:header("nope") == nil, q:content_type(), q:content_length(), q:has_body(),
            q:accepts("application/json"), q:accepts("text/html"), q:is_content_type("TEXT/"), q:param("id"), q:params(),
        }
    """
        }
    )
    async with client.post(
        f"{server.url}/api/a/x%2Fy%20z/b/c?x=1&x=2&y=a%26b&empty=",
        data="body",
        headers=[("X-Many", "1"), ("X-Many", "2"), ("Accept", "application/*;q=0.5, text/html;q=0")],
    ) as response:
        got = await response.json()
    assert got[:2] == ["POST", "/api/a/x/y z/b/c"]
    assert got[2] == f"127.0.0.1:{server.port}" and got[3].startswith("127.0.0.1:")
    assert got[4:7] == ["1,2", True, {"x": "1,2", "y": "a&b", "empty": ""}]
    assert got[7:12] == ["1, 2", True, "text/plain; charset=utf-8", 4, True]
    assert got[12:] == [True, False, True, "x/y z", {"id": "x/y z", "rest": "b/c"}]


async def test_bodies(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {
            "POST /body": "return http.request():body()",
            "POST /limited": KIND + "return e(http.request({max_body = 4}):body())",
            "POST /passed": "local v, err = http.request({max_body = 4}):body() return v, err",
            "POST /twice": KIND + "local q = http.request() q:body() return e(q:body())",
            "POST /json": "local v, err = http.request():body_json() if err then return nil, err end return {v.a}",
            "POST /stream": """
        local s = http.request():stream()
        local n, pieces = 0, 0
        while true do
            local piece, err = s:read(1000)
            if not piece then return {n = n, pieces = pieces, err = err and err:message()} end
            n, pieces = n + #piece, pieces + 1
        end
    """,
        }
    )
    async with client.post(f"{server.url}/api/body", data=b"\xff\0\n") as response:
        assert await response.read() == b"\xff\0\n"
    _, text = await post(client, server, "/limited")
    assert text == '{"kind":"INVALID","text":"the request has no body"}'
    for data in (b"12345", chunks(b"123", b"45")):
        _, text = await post(client, server, "/limited", data=data)
        assert text == '{"kind":"INVALID","text":"the request body is larger than 4 bytes"}'
    # A handler that passes the client's mistake on answers with the fitting status, and nobody is paged.
    assert await post(client, server, "/passed", data=b"12345") == (413, "413 the request body is larger than 4 bytes")
    _, text = await post(client, server, "/twice", data=b"1")
    assert "the body has been read already" in text
    assert await post(client, server, "/json", data=b'{"a": 5}') == (200, "[5]")
    status, text = await post(client, server, "/json", data=b"{")
    assert status == 400 and text.startswith("400 the body is not valid JSON: ")
    _, text = await post(client, server, "/stream", data=b"x" * 300_000)
    assert '"n":300000' in text
    _, text = await post(client, server, "/stream")
    assert text == '{"n":0,"pieces":0}'


async def chunks(*parts: bytes) -> Any:
    for part in parts:
        yield part


async def test_a_body_that_does_not_arrive(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {
            "POST /own": KIND + "return e(http.request({timeout = 50}):body())",
            "POST /service": "local v, err = http.request():body() return v, err",
        },
        service="timeouts: {read: 50ms}",
    )

    async def hanging() -> Any:
        yield b"x"
        await asyncio.sleep(60)

    _, text = await post(client, server, "/own", data=hanging())
    assert text == '{"kind":"INTERNAL","text":"the body had not arrived after 0.05 s"}'
    status, text = await post(client, server, "/service", data=hanging())
    assert (status, text) == (408, "408 the body had not arrived after 0.05 s")


async def test_forms(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {
            "POST /form": """
        local form, err = http.request():parse_multipart()
        if err then return nil, err end
        local files = {}
        for name, list in pairs(form.files) do
            local f = list[1]
            local s = f:stream()
            files[name] = {f:name(), f:size(), f:content_type(), #f:content(), s:read(3), s:read(10), s:read() == nil,
                f:header("Content-Type")}
        end
        return {values = form.values, files = files}
    """,
            "POST /small": "local v, err = http.request():parse_multipart(10) return v, err",
        }
    )
    form = aiohttp.FormData()
    form.add_field("a", "1")
    form.add_field("a", "2")
    form.add_field("b", "ü")
    form.add_field("doc", b"hello file", filename="x.txt", content_type="text/x")
    async with client.post(f"{server.url}/api/form", data=form) as response:
        got = await response.json()
    assert got["values"] == {"a": ["1", "2"], "b": "ü"}
    assert got["files"] == {"doc": ["x.txt", 10, "text/x", 10, "hel", "lo file", True, "text/x"]}
    status, text = await post(client, server, "/form", data={"a": "x y", "b": "="})
    assert (status, text) == (200, '{"files":[],"values":{"a":"x y","b":"="}}')
    status, text = await post(client, server, "/form", data=b"x", headers={"Content-Type": "text/plain"})
    assert status == 400 and "the request is no form" in text
    big = aiohttp.FormData()
    big.add_field("doc", b"x" * 100, filename="x")
    assert (await post(client, server, "/small", data=big))[0] == 413
    broken = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (await post(client, server, "/form", data=b"--b\r\nnonsense", headers=broken))[0] == 400


async def test_responses_that_come_in_pieces(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {
            "GET /events": """
        local res = http.response()
        res:write_event({name = "tick", data = {n = 1}})
        res:write_event({name = "text", data = "two\\nlines"})
        local err = res:write("x")
        res:write_event({name = "error", data = err:message()})
    """,
            "GET /chunks": """
        local res = http.response()
        res:set_transfer(http.TRANSFER.CHUNKED)
        res:write("one") res:flush() res:write("two")
    """,
            "GET /big": "local res = http.response() for i = 1, 10 do res:write(string.rep('x', 50000)) end",
            "GET /cut": "local res = http.response() res:write('one') res:flush() error('no')",
        }
    )
    async with client.get(f"{server.url}/api/events") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert await response.text() == (
            'event: tick\ndata: {"n":1}\n\nevent: text\ndata: two\ndata: lines\n\n'
            "event: error\ndata: the response is a stream of events: use write_event\n\n"
        )
    async with client.get(f"{server.url}/api/chunks") as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert await response.text() == "onetwo"
    async with client.get(f"{server.url}/api/big") as response:
        assert len(await response.read()) == 500_000
    async with client.head(f"{server.url}/api/chunks") as response:
        assert (response.status, await response.read()) == (200, b"")
    # Half a response must not look like a whole one.
    with pytest.raises(aiohttp.ClientError):
        await get(client, server, "/cut")


async def test_wrong_use(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {
            "GET /late": KIND
            + """
        local res = http.response()
        res:write("x")
        local err = res:set_header("A", "b")
        res:write(" " .. err:kind() .. " " .. err:message() .. " " .. err:details().code .. " ")
        local ok, thrown = pcall(function() res:status(500) end)
        res:write(tostring(ok) .. " " .. thrown:kind())
    """,
            "GET /values": """
        local res = http.response()
        return {
            tostring(res:set_status(99)), tostring(res:set_status(1.5)), tostring(res:set_header("a b", "c")),
            tostring(res:set_header("A", "b\\r\\nX: y")),
            tostring(res:set_header("A", "\\255")), tostring(res:set_header("Content-Length", "5")),
            tostring(res:set_transfer("slow")), tostring(res:write_event({data = "x"})),
            tostring(res:write_event({name = "x"})), tostring(res:write_json({f = print})),
            tostring(select(2, http.request({max_body = -1}))), tostring(select(2, http.request({timeout = "x"}))),
            select(2, pcall(res.set_status, res, "x")), select(2, pcall(res.write, res)), select(2, pcall(res.write)),
        }
    """,
            "GET /elsewhere": "return funcs.call('app:h0')",
        }
    )
    _, text = await get(client, server, "/late")
    assert text == (
        "x INVALID headers already sent: set status and headers before the first write INVALID_STATE false INVALID"
    )
    async with client.get(f"{server.url}/api/values") as response:
        got = await response.json()
    assert got == [
        "a response cannot have the status 99: expected 200 to 599",
        "the status must be an integer",
        '"a b" cannot be the name of a header',
        "header A: a value cannot have line breaks or other control characters",
        "header A: a value must be UTF-8",
        "the header Content-Length is set by the server, which knows how the response travels",
        'unknown transfer "slow": expected http.TRANSFER.CHUNKED or http.TRANSFER.SSE',
        "an event needs a name (a string)",
        "an event needs data",
        got[9],
        "max_body must be a positive integer",
        "timeout must be a positive number of milliseconds",
        "bad argument #1 to 'set_status' (number expected, got string)",
        "bad argument #1 to 'write' (string expected, got nil)",
        "bad argument to 'write' (response expected; call it with ':')",
    ]
    assert got[9].startswith("the value cannot be JSON: ")
    assert (await get(client, server, "/elsewhere"))[0] == 500
