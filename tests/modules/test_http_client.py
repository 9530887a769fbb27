"""http_client against a real server on loopback (spec/lua_api.md, section 16)."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FAIL = "local function failed(v, err) return {v == nil, err:kind(), err:retryable(), err:message()} end "


@dataclass
class Site:
    """A server: what it was asked, and where it is."""

    url: str
    runner: web.AppRunner
    root: Path
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: asyncio.Event = field(default_factory=asyncio.Event)


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async def echo(request: web.Request) -> web.Response:
        body = await request.read()
        return web.json_response(
            {
                "method": request.method,
                "path": request.path,
                "query": [list(pair) for pair in request.query.items()],
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "cookies": dict(request.cookies),
                "body": body.decode("latin-1"),
            }
        )

    async def bytes_(request: web.Request) -> web.Response:
        response = web.Response(body=bytes(range(256)), headers={"x-one-two": "first"})
        response.headers.add("x-one-two", "second")
        response.set_cookie("session", "abc")
        return response

    async def upload(request: web.Request) -> web.Response:
        form = await request.post()
        return web.json_response(
            [
                [name, value.filename, value.content_type, value.file.read().decode("latin-1")]
                if isinstance(value, web.FileField)
                else [name, value]
                for name, value in form.items()
            ]
        )

    async def hang(request: web.Request) -> web.Response:
        made.waiting.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            made.dropped.set()
            raise
        return web.Response()

    async def pieces(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for i in range(5):
            await response.write(b"%d" % i * 1000)
            await asyncio.sleep(0.01)
        return response

    async def redirect(request: web.Request) -> web.Response:
        left = int(request.match_info["left"])
        raise web.HTTPFound(f"/redirect/{left - 1}" if left else "/echo")

    async def status(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["code"]))

    app = web.Application(client_max_size=8 << 20)
    app.router.add_route("*", "/echo", echo)
    app.router.add_get("/bytes", bytes_)
    app.router.add_post("/upload", upload)
    app.router.add_get("/hang", hang)
    app.router.add_get("/pieces", pieces)
    app.router.add_get("/redirect/{left}", redirect)
    app.router.add_get("/status/{code}", status)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    tcp = web.TCPSite(runner, "127.0.0.1", 0)
    await tcp.start()
    port = runner.addresses[0][1]
    made = Site(f"http://127.0.0.1:{port}", runner, tmp_path)
    yield made
    await runner.cleanup()


async def test_get_with_query_headers_cookies_and_auth(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        """
        local url = ...
        local res, err = http_client.get(url .. '/echo?kept=1', {
            query = {q = 'a b&c', n = 5, list = {'x', 'y'}}, headers = {['X-Test'] = 'yes'},
            cookies = {a = '1', b = '2'},
            auth = {user = 'me', pass = 'päss'}, timeout = '5s',
        })
        assert(err == nil)
        local seen = json.decode(res.body)
        return {res.status_code, res.url, seen, res.headers['Content-Type'], res.body_size == #res.body, type(res)}
    """,
        site.url,
    )
    assert got[0] == 200 and got[1].startswith(site.url + "/echo?kept=1&") and got[3].startswith("application/json")
    seen = got[2]
    query = [("kept", "1"), ("list", "x"), ("list", "y"), ("n", "5"), ("q", "a b&c")]
    assert sorted(map(tuple, seen["query"])) == query
    assert seen["headers"]["x-test"] == "yes" and seen["cookies"] == {"a": "1", "b": "2"}
    assert seen["headers"]["authorization"] == "Basic bWU6cMOkc3M=" and seen["headers"]["user-agent"] == "lua-fleet"
    assert got[4] is True and got[5] == "table"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_methods_send_their_body_as_it_is(run_lua: Any, site: Site, method: str) -> None:
    got = await run_lua(
        f"""
        local url = ...
        local res = assert(http_client.{method}(url .. '/echo', {{body = 'a\\0\\xff'}}))
        return json.decode(res.body)
    """,
        site.url,
    )
    assert got["method"] == method.upper() and got["body"] == "a\x00\xff"
    assert "content-type" not in got["headers"]


async def test_head_and_own_methods(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        """
        local url = ...
        local head = http_client.head(url .. '/echo')
        local other = http_client.request('REPORT', url .. '/echo')
        return {head.status_code, head.body == nil, head.body_size, json.decode(other.body).method}
    """,
        site.url,
    )
    assert got == [200, True, 0, "REPORT"]


async def test_form_and_files(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        """
        local url = ...
        local form = json.decode(http_client.post(url .. '/echo', {form = {a = '1 2', b = 'ü'}}).body)
        local files = json.decode(http_client.post(url .. '/upload', {
            form = {note = 'hi'},
            files = {{name = 'doc', filename = 'a.txt', content = 'data', content_type = 'text/plain'},
                {name = 'raw', content = '\\xff\\0'}}}).body)
        local named = json.decode(http_client.post(url .. '/upload', {files = {pic = {content = 'p'}}}).body)
        return {form.body, form.headers['content-type'], files, named}
    """,
        site.url,
    )
    assert got[0] == "a=1+2&b=%C3%BC" and got[1] == "application/x-www-form-urlencoded"
    assert got[2] == [
        ["note", "hi"],
        ["doc", "a.txt", "text/plain", "data"],
        ["raw", "raw", "application/octet-stream", "\xff\x00"],
    ]
    assert got[3] == [["pic", "pic", "application/octet-stream", "p"]]


async def test_response_bytes_headers_and_cookies(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        """
        local url = ...
        local res = http_client.get(url .. '/bytes')
        return {#res.body, res.body:byte(256), res.headers['X-One-Two'], res.cookies.session}
    """,
        site.url,
    )
    assert got == [256, 255, "first", "abc"]


async def test_every_status_is_a_response(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        """
        local url, out = ..., {}
        for _, code in ipairs{204, 404, 500, 503} do
            local res, err = http_client.get(url .. '/status/' .. code)
            out[#out + 1] = {res.status_code, res.body == nil, err == nil}
        end
        return out
    """,
        site.url,
    )
    assert got == [[code, True, True] for code in (204, 404, 500, 503)]


async def test_no_cookie_is_kept_for_others(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        """
        local url = ...
        http_client.get(url .. '/bytes')
        return json.decode(http_client.get(url .. '/echo').body).cookies
    """,
        site.url,
    )
    assert got in ({}, [])


async def test_redirects(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        FAIL
        + """
        local url = ...
        local res = http_client.get(url .. '/redirect/3')
        local stay = http_client.get(url .. '/redirect/3', {max_redirects = 0})
        return {res.status_code, res.url, stay.status_code, stay.headers.Location,
            failed(http_client.get(url .. '/redirect/30'))}
    """,
        site.url,
    )
    assert got[:4] == [200, site.url + "/echo", 302, "/redirect/2"]
    assert got[4] == [True, "INTERNAL", True, f"GET {site.url}/redirect/30: more than 10 redirects"]


async def test_transport_failures_are_retryable(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        FAIL
        + """
        local url = ...
        return {failed(http_client.get('http://127.0.0.1:1/x?secret=1')),
            failed(http_client.get(url .. '/hang', {timeout = 0.1})),
            failed(http_client.get(url .. '/hang', {timeout = '100ms'})),
            failed(http_client.get(url .. '/bytes', {max_response_body = 100}))}
    """,
        site.url,
    )
    assert [row[:3] for row in got[:3]] == [[True, "INTERNAL", True]] * 3
    assert got[0][3].startswith("GET http://127.0.0.1:1/x: ") and "secret" not in got[0][3]
    assert got[1][3] == got[2][3] == f"GET {site.url}/hang: timed out after 0.1 s"
    assert got[3] == [
        True,
        "INTERNAL",
        False,
        f"the response of {site.url}/bytes is larger than 100 bytes: read it with stream = true",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'nonsense'", 'invalid URL "nonsense": expected http://... or https://...'),
        ("'ftp://x/y'", 'invalid URL "ftp://x/y": expected http://... or https://...'),
        ("'http://x', {timeout = 'soon'}", "option timeout: expected a number of seconds or a duration string"),
        (
            "'http://x', {timeout = -1}",
            "option timeout: expected a positive number of seconds or a duration string, got -1",
        ),
        ("'http://x', {headers = {a = {1, {}}}}", "option headers.a: expected a string, got a table"),
        ("'http://x', {headers = {['a b'] = '1'}}", 'option headers: invalid name "a b"'),
        ("'http://x', {headers = {a = 'x\\r\\nEvil: 1'}}", "option headers.a: a header cannot have line breaks"),
        ("'http://x', {cookies = {a = 'x; b=1'}}", 'option cookies: "a" cannot be sent as a cookie'),
        (
            "'http://x', {body = {a = 1}}",
            "option body: expected a string, got a table (encode tables with json.encode)",
        ),
        ("'http://x', {body = 'x', form = {a = '1'}}", "option body cannot be combined with form or files"),
        ("'http://x', {auth = {}}", "option auth: expected {user = ..., pass = ...}"),
        ("'http://x', {stream = 1}", "option stream: expected a boolean, got 1"),
        ("'http://x', {overlay_network = 'n'}", "option overlay_network is not supported"),
        ("'http://x', {proxy = 'ftp://p'}", 'option proxy: expected true or http://..., got "ftp://p"'),
        (
            "'http://x', {tls = {verify = false}}",
            "unknown option tls.verify: known are insecure_skip_verify, ca, ca_file, cert_file, key_file, server_name",
        ),
    ],
)
async def test_wrong_options(run_lua: Any, arguments: str, message: str) -> None:
    assert await run_lua(FAIL + f"return failed(http_client.get({arguments}))") == [True, "INVALID", False, message]


async def test_unknown_option_is_named(run_lua: Any) -> None:
    got = await run_lua(FAIL + "return failed(http_client.get('http://x', {header = {}}))")
    assert got[1] == "INVALID" and got[3].startswith("unknown option header: known are auth, body, cookies")


async def test_wrong_types_raise(run_lua: Any) -> None:
    assert await run_lua("local ok, err = pcall(http_client.get, 5) return err") == (
        "bad argument #1 to 'get' (string expected, got number)"
    )


async def test_stream(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        """
        local url = ...
        local res = http_client.get(url .. '/pieces', {stream = true})
        local size, reads = 0, 0
        while true do
            local data, err = res.stream:read(700)
            assert(err == nil and (data == nil or #data <= 700))
            if not data then break end
            size, reads = size + #data, reads + 1
        end
        local again, err = res.stream:read()
        local other = http_client.get(url .. '/pieces', {stream = true})
        other.stream:close()
        return {res.body == nil, size, reads >= 8, again == nil and err == nil, other.stream:read() == nil}
    """,
        site.url,
    )
    assert got == [True, 5000, True, True, True]


async def test_batch_runs_at_the_same_time(run_lua: Any, site: Site) -> None:
    got = await run_lua(
        """
        local url = ...
        local responses, errors = http_client.request_batch({
            {'GET', url .. '/echo'}, {'GET', 'http://127.0.0.1:1/'}, {'POST', url .. '/echo', {body = 'x'}}})
        local fine, none = http_client.request_batch({{'GET', url .. '/status/200'}})
        local _, wrong = http_client.request_batch({{'GET'}})
        return {responses[1].status_code, responses[2] == nil, responses[3].status_code, errors[2]:kind(),
            errors[1] == nil, fine[1].status_code, none == nil, wrong:message()}
    """,
        site.url,
    )
    assert got == [200, True, 200, "INTERNAL", True, 200, True, "request 1: expected {method, url, options}"]


async def test_uri_encoding(run_lua: Any) -> None:
    assert await run_lua("""
        local _, err = http_client.decode_uri('50%')
        return {http_client.encode_uri('a b&ü/~'), http_client.decode_uri('a+b%26%C3%BC%2F~'), err:kind()}
    """) == ["a+b%26%C3%BC%2F~", "a b&ü/~", "INVALID"]


async def test_end_of_the_call_drops_the_connection(run_lua: Any, site: Site) -> None:
    await run_lua(
        "local url = ... coroutine.spawn(function() http_client.get(url .. '/hang') end)"
        " require('time').sleep('300ms') return 1",
        site.url,
    )
    await asyncio.wait_for(site.dropped.wait(), 10)


async def test_unix_socket(run_lua: Any, site: Site) -> None:
    path = str(site.root / "server.sock")
    await web.UnixSite(site.runner, path).start()
    got = await run_lua(
        """
        local path = ...
        return http_client.get('http://local/status/204', {unix_socket = path}).status_code
    """,
        path,
    )
    assert got == 204


async def test_environment_proxy_only_when_asked(run_lua: Any, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.delenv("no_proxy", raising=False)
    got = await run_lua(
        FAIL
        + """
        local asked = http_client.get('http://nowhere.invalid/echo', {proxy = true})
        return {asked.status_code, failed(http_client.get('http://nowhere.invalid/echo'))[2]}
    """
    )
    assert got == [200, "INTERNAL"]


async def test_tls(run_lua: Any, site: Site) -> None:
    certificate, key = self_signed(site.root)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    await web.TCPSite(site.runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{site.runner.addresses[-1][1]}/status/204"
    got = await run_lua(
        FAIL
        + """
        local url, file, pem = ...
        return {failed(http_client.get(url))[2],
            http_client.get(url, {tls = {insecure_skip_verify = true}}).status_code,
            http_client.get(url, {tls = {ca_file = file}}).status_code,
            http_client.get(url, {tls = {ca = pem}}).status_code,
            failed(http_client.get(url, {tls = {ca_file = '/nowhere'}}))[2]}
    """,
        url,
        str(certificate),
        certificate.read_text(),
    )
    assert got == ["INTERNAL", 204, 204, 204, "INVALID"]


def self_signed(root: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = root / "cert.pem", root / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file
