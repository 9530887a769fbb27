"""http.service, http.router, http.endpoint (registry.md, section 5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from registry_sandbox import Sandbox

from fleet.registry import HttpEndpointEntry, HttpRouterEntry, HttpServiceEntry

BASE = """
- {name: server, kind: http.service, addr: ':8080'}
- {name: router, kind: http.router, prefix: /api/, meta: {server: server}}
- {name: f, kind: function.lua, method: m, source: return 1}
- {name: first, kind: http.endpoint, meta: {router: router}, func: f, method: GET, path: '/orders/{id}'}
"""


def test_fields_of_the_http_kinds(app: Sandbox) -> None:
    app.entries(
        BASE
        + """
- name: big
  kind: http.service
  addr: 127.0.0.1:9090
  timeouts: {read: 5s, write: 10s, idle: 1m}
  host: {buffer_size: 10, worker_count: 2}
  tls: {mode: manual, cert: c, key: k, client_ca: a, client_auth: verify_if_given}
  lifecycle: {auto_start: true}
- name: more
  kind: http.router
  meta: {server: "app:big"}
  middleware: [cors, ratelimit]
  options: {cors.allow.origins: "https://a.example", cors.max.age: 86400, cors.allow.credentials: true}
- {name: e, kind: http.endpoint, meta: {router: "app:more"}, func: "app:f", method: POST, path: "/a/:id/{rest...}"}
"""
    )
    loaded = app.load()
    assert loaded.warnings == []
    server, big = loaded.entries_of("http.service")
    assert isinstance(server, HttpServiceEntry) and isinstance(big, HttpServiceEntry)
    assert (server.host.buffer_size, server.host.worker_count, server.timeouts.read) == (1024, None, None)
    assert big.timeouts.idle == timedelta(minutes=1)
    assert big.tls.key is not None and big.tls.key.reveal() == "k"
    router, more = loaded.entries_of("http.router")
    assert isinstance(router, HttpRouterEntry) and isinstance(more, HttpRouterEntry)
    assert (router.server, router.path_prefix, more.path_prefix) == ("app:server", "/api", "")
    assert more.options == {
        "cors.allow.origins": "https://a.example",
        "cors.max.age": "86400",
        "cors.allow.credentials": "true",
    }
    endpoint = loaded.entries["app:e"]
    assert isinstance(endpoint, HttpEndpointEntry)
    assert (endpoint.router, endpoint.func, endpoint.path) == ("app:more", "app:f", "/a/{id}/{rest...}")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("kind: http.service", "addr: address is required"),
        ("kind: http.service, addr: ''", "addr: address is required"),
        ("kind: http.service, addr: '8080'", 'addr: is not a listen address (got "8080", expected host:port or :port'),
        ("kind: http.service, addr: ':99999'", "addr: is not a listen address"),
        ("kind: http.service, addr: ':8080'", "addr: is the address of another service already: app:server (app.yaml:"),
        (
            "kind: http.service, addr: ':1', timeouts: {read: 5}",
            "timeouts.read: has the wrong type (got 5, expected a dur",
        ),
        (
            "kind: http.service, addr: ':1', tls: {mode: on}",
            'tls.mode: is not a known value (got "on", expected "" or auto',
        ),
        ("kind: http.service, addr: ':1', tls: {mode: manual}", "tls.mode: tls.mode manual needs cert and key"),
        ("kind: http.service, addr: ':1', tls: {client_auth: x}", "tls.client_auth: is not a known value"),
        ("kind: http.service, addr: ':1', tls: {mode: auto}", "tls.mode: tls.mode auto is not available: nothing here"),
        (
            "kind: http.service, addr: ':1', tls: {client_auth: require_any}",
            "tls.client_auth: require_any is not available: a certificate that nobody verifies proves nothing (expected",
        ),
        (
            "kind: http.service, addr: ':1', tls: {client_auth: require_and_verify}",
            "tls.client_auth: require_and_verify needs client_ca",
        ),
        ("kind: http.router", "meta.server: server metadata is required"),
        (
            "kind: http.router, prefix: /x, meta: {server: server}, middleware: [cors, token_auth]",
            "middleware.1: token_auth is not available\n    there are no security tokens here: check the caller in the h",
        ),
        (
            "kind: http.router, prefix: /x, meta: {server: server}, post_middleware: [endpoint_firewall]",
            "post_middleware.0: endpoint_firewall is not available\n    there are no security policies here",
        ),
        (
            "kind: http.router, prefix: /x, meta: {server: server}, middleware: [ratelimit], options: {ratelimit.key: me}",
            "options: ratelimit.key has a value that it cannot have (expected ip, header:NAME or query:NAME)",
        ),
        (
            "kind: http.router, prefix: /x, meta: {server: server}, middleware: [cors],"
            " options: {cors_allow_credentials: true}",
            "options: every site could act with the credentials of its visitors\n    name the origins that may",
        ),
        ("kind: http.router, meta: {server: f}", "meta.server: refers to app:f, which is a function.lua"),
        (
            "kind: http.router, meta: {server: server}, prefix: api",
            "prefix: server app:server has a router with this prefix already: app:router (app.yaml:4)",
        ),
        (
            "kind: http.router, meta: {server: server}, middleware: [crs]",
            'middleware.0: is not a known value (got "crs", expected cors or',
        ),
        (
            "kind: http.router, meta: {server: server}, post_middleware: [cors]",
            'post_middleware.0: is not a known value (got "cors", expected endpoint_firewall or resource_firewall)',
        ),
        (
            "kind: http.router, meta: {server: server}, options: {cors.max.age: [1]}",
            "options.cors.max.age: has the wrong type (got a list, expected a string)",
        ),
        ("kind: http.endpoint, func: f, method: GET, path: /x", "meta.router: router metadata is required"),
        ("kind: http.endpoint, meta: {router: router}, method: GET, path: /x", "func: func is required"),
        ("kind: http.endpoint, meta: {router: router}, func: f, path: /x", "method: method is required"),
        ("kind: http.endpoint, meta: {router: router}, func: f, method: GET", "path: path is required"),
        (
            "kind: http.endpoint, meta: {router: router}, func: router, method: GET, path: /x",
            "func: refers to app:router, which is a http.router (expected function.lua)",
        ),
        (
            "kind: http.endpoint, meta: {router: rooter}, func: f, method: GET, path: /x",
            "meta.router: refers to app:rooter, which does not exist (expected http.router)\n"
            "    did you mean app:router?",
        ),
        (
            "kind: http.endpoint, meta: {router: router}, func: f, method: get, path: /x",
            'method: is not a known value (got "get", expected GET or',
        ),
        (
            "kind: http.endpoint, meta: {router: router}, func: f, method: GET, path: x",
            'path: path must start with / (got "x")',
        ),
        (
            "kind: http.endpoint, meta: {router: router}, func: f, method: GET, path: '/{a'",
            "path: has a malformed parameter",
        ),
        (
            "kind: http.endpoint, meta: {router: router}, func: f, method: GET, path: '/{a b}'",
            "path: has a malformed parameter",
        ),
        (
            "kind: http.endpoint, meta: {router: router}, func: f, method: GET, path: '/{a...}/b'",
            "path: has a wildcard that is not at the end",
        ),
        (
            "kind: http.endpoint, meta: {router: router}, func: f, method: GET, path: '/{a}/{a}'",
            "path: uses a parameter name twice",
        ),
        (
            "kind: http.endpoint, meta: {router: router}, func: f, method: GET, path: '/{a}.json'",
            "path: has a parameter that is only a part of its segment",
        ),
        (
            "kind: http.endpoint, meta: {router: router}, func: f, method: GET, path: '/orders/{a}/'",
            "path: GET /api/orders/{a}/ is answered already by app:first",
        ),
        (
            "kind: http.endpoint, meta: {router: router}, func: f, method: GET, path: '/orders/:number'",
            "path: GET /api/orders/{number} is answered already by app:first (app.yaml:6)",
        ),
    ],
)
def test_refusals(app: Sandbox, entry: str, message: str) -> None:
    app.entries(BASE.strip("\n") + f"\n- {{name: x, {entry}}}\n")
    (error,) = app.errors()
    assert error.startswith("app.yaml:7: error: entry app:x: ")
    assert message in error


def test_middleware_without_effect_is_a_warning(app: Sandbox) -> None:
    app.entries(
        BASE
        + """
- name: more
  kind: http.router
  prefix: /more
  meta: {server: server}
  middleware: [metrics]
  options: {cors.max.age: 5, cors.allow.origin: x}
"""
    )
    assert [warning.render() for warning in app.load().warnings] == [
        "app.yaml:12: warning: entry app:more: middleware.0: metrics has no effect: requests are not counted per router",
        "app.yaml:13: warning: entry app:more: options: cors.max.age has no effect: cors is not among the middleware",
        "app.yaml:13: warning: entry app:more: options: unknown option cors.allow.origin, it has no effect\n"
        "    did you mean cors.allow.origins?",
    ]
