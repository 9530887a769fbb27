"""The HTTP kinds: http.service, http.router, http.endpoint (spec/registry.md, section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from .. import middleware
from ..nodes import Node
from ..schema import Flaw, Mismatch, Scope, record, setting
from ..secret import Secret
from ..types import Choice, Duration, EntryId, Integer, ListOf, MapOf, Record, SecretText, Text
from .entry import Entry, ServiceEntry

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")
MIDDLEWARE = ("cors", "ratelimit", "compress", "real_ip", "token_auth", "metrics", "sendfile")
POST_MIDDLEWARE = ("endpoint_firewall", "resource_firewall")

_OPTION_MAP = MapOf(Text(scalars=True))
_COLON_PARAMETER = re.compile(r"(?<=/):([A-Za-z_][A-Za-z0-9_]*)")
_PARAMETER = re.compile(r"\{([^{}/]*)\}")
_SEGMENT = re.compile(r"\{[^{}]*\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.\.\.)?")


@record
class HttpTimeouts:
    """Limits of a connection; None is no limit."""

    read: timedelta | None = setting(Duration(), default=None)
    write: timedelta | None = setting(Duration(), default=None)
    idle: timedelta | None = setting(Duration(), default=None)


@record
class HttpHostOptions:
    """How many handlers run at once.

    Attributes:
        worker_count: handlers that run at once, while others wait; None or 0: as many as there are requests, up to
            ``buffer_size``.
        buffer_size: requests that may wait for a handler; what comes above gets a 503.
    """

    buffer_size: int = setting(Integer(minimum=1), default=1024)
    worker_count: int | None = setting(Integer(minimum=0), default=None)


@record
class HttpTls:
    """Certificates of a server; ``manual`` needs ``cert`` and ``key``."""

    mode: str = setting(Choice(("", "auto", "manual")), default="")
    cert: str = setting(Text(), default="")
    key: Secret | None = setting(SecretText(), default=None)
    client_ca: str = setting(Text(), default="")
    client_auth: str | None = setting(
        Choice(("request", "require_any", "verify_if_given", "require_and_verify")), default=None
    )

    def flaws(self) -> Iterator[Flaw]:
        if self.mode == "auto":
            hint = "write mode: manual with cert and key, or let a proxy in front do TLS"
            yield Flaw("mode", "tls.mode auto is not available: nothing here fetches certificates", hint=hint)
        if self.mode == "manual" and not (self.cert and self.key):
            yield Flaw("mode", "tls.mode manual needs cert and key")
        if self.client_auth in ("request", "require_any"):
            message = f"{self.client_auth} is not available: a certificate that nobody verifies proves nothing"
            yield Flaw("client_auth", message, expected="verify_if_given or require_and_verify")
        elif self.client_auth is not None and not self.client_ca:
            yield Flaw("client_auth", f"{self.client_auth} needs client_ca, the authority of the clients' certificates")


@record
class HttpServiceEntry(ServiceEntry):
    """A listening HTTP server."""

    addr: str = setting(Text(), required="address is required")
    timeouts: HttpTimeouts = setting(Record(HttpTimeouts), default=HttpTimeouts())
    host: HttpHostOptions = setting(Record(HttpHostOptions), default=HttpHostOptions())
    tls: HttpTls = setting(Record(HttpTls, secret=True), default=HttpTls())
    network: str = setting(Text(), default="")

    def flaws(self) -> Iterator[Flaw]:
        if not _is_listen_address(self.addr):
            yield Flaw("addr", "is not a listen address", expected="host:port or :port, such as :8080", show=True)


def _is_listen_address(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(colon) and "/" not in host and port.isdecimal() and int(port) <= 65535


@record
class HttpRouterEntry(Entry):
    """A path prefix of a server, with middleware around its endpoints.

    Attributes:
        server: id of the http.service (``meta.server``).
        prefix: begins with "/", does not end with one unless it is "/" itself.
        options, post_options: of the middleware, keys such as ``cors.allow.origins``.
    """

    server: str = setting(EntryId(("http.service",)), required="server metadata is required", path="meta.server")
    prefix: str = setting(Text(), default="/")
    middleware: tuple[str, ...] = setting(ListOf(Choice(MIDDLEWARE)), default=())
    options: dict[str, str] = setting(_OPTION_MAP, default_factory=dict)
    post_middleware: tuple[str, ...] = setting(ListOf(Choice(POST_MIDDLEWARE)), default=())
    post_options: dict[str, str] = setting(_OPTION_MAP, default_factory=dict)

    def flaws(self) -> Iterator[Flaw]:
        yield from middleware.flaws(self.middleware, self.options)
        for number, name in enumerate(self.post_middleware):
            yield Flaw(f"post_middleware.{number}", f"{name} is not available", hint=middleware.ABSENT[name])

    @property
    def path_prefix(self) -> str:
        """The prefix in one spelling: leading slash, no trailing one; "" for the root."""
        return "/" + self.prefix.strip("/") if self.prefix.strip("/") else ""


@dataclass(frozen=True)
class RoutePath:
    """A path with ``{name}`` segments; ``:name`` is rewritten to that; ``{name...}`` only at the end."""

    def decode(self, node: Node, scope: Scope) -> str:
        path = _COLON_PARAMETER.sub(r"{\1}", Text().decode(node, scope))
        if not path.startswith("/"):
            raise Mismatch("path must start with /")
        names = _PARAMETER.findall(path)
        if path.count("{") != len(names) or any(not _NAME.fullmatch(name) for name in names):
            raise Mismatch("has a malformed parameter", expected="segments such as {id}, or {rest...} at the end")
        if any(name.endswith("...") for name in names[:-1]) or ("...}" in path and not path.endswith("...}")):
            raise Mismatch("has a wildcard that is not at the end", expected="{rest...} as the last segment")
        if any("{" in segment and not _SEGMENT.fullmatch(segment) for segment in path.split("/")):
            raise Mismatch("has a parameter that is only a part of its segment", expected="segments such as {id}")
        if len(set(names)) < len(names):
            raise Mismatch("uses a parameter name twice")
        return path


@record
class HttpEndpointEntry(Entry):
    """One route: method and path of a router, and the function that answers.

    Attributes:
        router: id of the http.router (``meta.router``).
        func: id of the function.lua.
        path: below the router's prefix, parameters as ``{name}``.
    """

    router: str = setting(EntryId(("http.router",)), required="router metadata is required", path="meta.router")
    func: str = setting(EntryId(("function.lua",)), required="func is required")
    path: str = setting(RoutePath(), required="path is required")
    method: str = setting(Choice(METHODS), required="method is required")
