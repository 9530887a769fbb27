"""Middleware of routers (spec/registry.md, section 5)."""

from __future__ import annotations

import gzip
from typing import Any

import aiohttp
import pytest

from fleet.http.middleware import RateLimit, origin_allowed
from fleet.registry.middleware import settings_of

Client = aiohttp.ClientSession


def router(names: str, **options: str) -> str:
    pairs = ", ".join(f'{key.replace("__", ".")}: "{value}"' for key, value in options.items())
    return f"middleware: [{names}]\n    options: {{{pairs}}}"


async def test_cors(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {"GET /a": "return 1", "POST /fail": "error('no')"},
        router=router(
            "cors",
            cors__allow__origins="https://shop.example, *.trusted.example, localhost",
            cors_expose_headers="X-Total",
            cors__allow__credentials="true",
            cors__allow__private__network="true",
        ),
    )
    ask = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Private-Network": "true"}
    for path in ("/a", "/unknown"):
        async with client.options(
            f"{server.url}/api{path}", headers={**ask, "Origin": "http://localhost:3000"}
        ) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
            assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, DELETE, OPTIONS, PATCH"
            assert response.headers["Access-Control-Allow-Headers"].startswith("Origin, Content-Type, ")
            assert response.headers["Access-Control-Allow-Credentials"] == "true"
            assert response.headers["Access-Control-Max-Age"] == "86400"
            assert response.headers["Access-Control-Allow-Private-Network"] == "true"
            assert response.headers["Vary"] == "Origin"
    async with client.options(f"{server.url}/api/a", headers={**ask, "Origin": "https://evil.example"}) as response:
        assert "Access-Control-Allow-Origin" not in response.headers
    async with client.get(f"{server.url}/api/a", headers={"Origin": "https://x.trusted.example"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "https://x.trusted.example"
        assert response.headers["Access-Control-Expose-Headers"] == "X-Total"
    # A page must be able to read what went wrong.
    async with client.post(f"{server.url}/api/fail", headers={"Origin": "https://shop.example"}) as response:
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (500, "https://shop.example")
    async with client.options(f"{server.url}/api/a") as response:
        assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("origin", "pattern", "allowed"),
    [
        ("https://a.example", "*", True),
        ("https://a.example", "https://a.example", True),
        ("https://a.example:8443", "https://a.example", False),
        ("https://x.a.example", "*.a.example", True),
        ("https://a.example", "*.a.example", False),
        ("https://evila.example", "*.a.example", False),
        ("http://x.a.example", "https://*.a.example", False),
        ("https://x.a.example", "https://*.a.example", True),
        ("http://localhost", "localhost", True),
        ("https://localhost:1", "localhost", True),
        ("http://localhost.evil.example", "localhost", False),
        ("http://localhost:1.evil.example", "localhost", False),
        ("null", "localhost", False),
    ],
)
def test_origins(origin: str, pattern: str, allowed: bool) -> None:
    assert origin_allowed(origin, [pattern]) is allowed


async def test_ratelimit(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {"GET /a": "return 1"},
        router=router(
            "ratelimit",
            ratelimit__requests="2",
            ratelimit__window="1h",
            ratelimit__burst="2",
            ratelimit__key="header:X-Key",
        ),
    )

    async def status(**headers: str) -> int:
        async with client.get(f"{server.url}/api/a", headers=headers) as response:
            if response.status == 429:
                assert response.headers["X-RateLimit-Limit"] == "2"
                assert response.headers["X-RateLimit-Window"] == "3600s"
                assert 1700 < int(response.headers["Retry-After"]) <= 1800
                assert await response.text() == "429 too many requests"
            return response.status

    assert [await status(**{"X-Key": "a"}) for _ in range(3)] == [200, 200, 429]
    assert await status(**{"X-Key": "b"}) == 200
    assert [await status() for _ in range(3)] == [200, 200, 429]


def test_buckets_refill_and_are_forgotten() -> None:
    now = 0.0
    options = {"ratelimit.requests": "60", "ratelimit.burst": "2", "ratelimit.max_entries": "2"}
    limit = RateLimit(settings_of("ratelimit", options), clock=lambda: now)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 1.0]
    now = 0.5
    assert limit.take("a") == 0.5
    now = 1.0
    assert limit.take("a") == 0
    limit.take("b")
    limit.take("c")
    # "a" was used least recently, and so is as good as new.
    assert list(limit._buckets) == ["b", "c"]
    now = 700.0
    limit.take("d")
    assert list(limit._buckets) == ["d"]


async def test_compress(serve_lua: Any) -> None:
    server = await serve_lua(
        {
            "GET /long": "http.response():text(string.rep('x', 2000))",
            "GET /short": "http.response():text('x')",
            "GET /binary": "http.response():header('Content-Type', 'image/png'):body(string.rep('x', 2000))",
            "GET /pieces": "local r = http.response() r:text('one') r:flush() r:write('two')",
            "GET /events": "http.response():write_event({name = 'a', data = string.rep('x', 2000)})",
        },
        router=router("compress", compress__level="best"),
    )
    async with aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": "br, gzip;q=0.8"}) as client:
        async with client.get(f"{server.url}/api/long") as response:
            assert (response.headers["Content-Encoding"], response.headers["Vary"]) == ("gzip", "Accept-Encoding")
            body = await response.read()
            assert len(body) == int(response.headers["Content-Length"]) < 100
            assert gzip.decompress(body) == b"x" * 2000
        async with client.get(f"{server.url}/api/pieces") as response:
            assert gzip.decompress(await response.read()) == b"onetwo"
        for path in ("short", "binary", "events"):
            async with client.get(f"{server.url}/api/{path}") as response:
                assert "Content-Encoding" not in response.headers
        async with client.get(f"{server.url}/api/long", headers={"Accept-Encoding": "gzip;q=0"}) as response:
            assert "Content-Encoding" not in response.headers


async def test_real_ip(serve_lua: Any, client: Client) -> None:
    server = await serve_lua({"GET /ip": "return http.request():remote_addr()"}, router=router("real_ip"))

    async def ip(headers: dict[str, str]) -> str:
        async with client.get(f"{server.url}/api/ip", headers=headers) as response:
            found: str = await response.json()
            return found

    assert (await ip({})).startswith("127.0.0.1:")
    assert await ip({"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.2"}) == "203.0.113.9"
    assert await ip({"X-Forwarded-For": "10.0.0.7, 10.0.0.2"}) == "10.0.0.7"
    assert await ip({"X-Real-IP": "203.0.113.1", "X-Forwarded-For": "203.0.113.9"}) == "203.0.113.1"
    assert await ip({"True-Client-IP": "2001:db8::1", "X-Real-IP": "203.0.113.1"}) == "2001:db8::1"
    assert (await ip({"X-Real-IP": "nonsense"})).startswith("127.0.0.1:")


async def test_real_ip_of_a_stranger_is_his_own(serve_lua: Any, client: Client) -> None:
    server = await serve_lua(
        {"GET /ip": "return http.request():remote_addr()"},
        router=router("real_ip", real_ip__trusted__subnets="10.0.0.0/8"),
    )
    async with client.get(f"{server.url}/api/ip", headers={"X-Real-IP": "203.0.113.1"}) as response:
        assert (await response.json()).startswith("127.0.0.1:")
