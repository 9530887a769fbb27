"""What a router does before its endpoints: cors, ratelimit, compress, real_ip (spec/registry.md, section 5).

A step is called with the exchange once the router is known; True means that it has answered.
"""

from __future__ import annotations

import ipaddress
import math
import re
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import hdrs

from fleet.registry import HttpRouterEntry
from fleet.registry.middleware import Network, settings_of

from .exchange import Exchange
from .reply import Reply

Step = Callable[[Exchange], bool]

_COMPRESSIBLE = re.compile(r"text/(?!event-stream)|application/(json|javascript|xml|[\w.-]+\+(json|xml))|image/svg")


def steps_of(router: HttpRouterEntry) -> list[Step]:
    """The steps of a router in the order of its ``middleware``."""
    return [_STEPS[name](settings_of(name, router.options)) for name in router.middleware if name in _STEPS]


# ---- cors


def _cors(settings: Mapping[str, Any]) -> Step:
    origins: Sequence[str] = settings["allow_origins"]

    def step(exchange: Exchange) -> bool:
        request = exchange.request
        origin = request.headers.get(hdrs.ORIGIN)
        preflight = request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        allowed = origin is not None and origin_allowed(origin, origins)

        def headers(reply: Reply, length: int | None) -> None:
            if "*" not in origins:
                reply.headers.add(hdrs.VARY, hdrs.ORIGIN)
            if not allowed:
                return
            reply.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*" if "*" in origins else str(origin)
            if settings["allow_credentials"]:
                reply.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
            if preflight:
                reply.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = ", ".join(settings["allow_methods"])
                reply.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ", ".join(settings["allow_headers"])
                reply.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(settings["max_age"])
                if settings["allow_private_network"] and "Access-Control-Request-Private-Network" in request.headers:
                    reply.headers["Access-Control-Allow-Private-Network"] = "true"
            elif settings["expose_headers"]:
                reply.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ", ".join(settings["expose_headers"])

        exchange.reply.before_head.append(headers)
        if preflight:
            exchange.reply.status = 204
        return preflight

    return step


def origin_allowed(origin: str, origins: Sequence[str]) -> bool:
    """Does one of the patterns allow it? ``*``, ``https://x``, ``*.x`` or ``https://*.x``, ``localhost`` (any port)."""
    scheme, _, host = origin.partition("://")
    for pattern in origins:
        wanted_scheme, separator, wanted = pattern.rpartition("://")
        if pattern in ("*", origin):
            return True
        if pattern == "localhost" and scheme in ("http", "https") and re.fullmatch(r"localhost(:\d+)?", host):
            return True
        if wanted.startswith("*.") and host.endswith(wanted[1:]) and (not separator or wanted_scheme == scheme):
            return True
    return False


# ---- ratelimit


class RateLimit:
    """A bucket of tokens for each key: ``burst`` at once, refilled at ``requests`` in a ``window``. Per process."""

    def __init__(self, settings: Mapping[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._rate = settings["requests"] / settings["window"]
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __call__(self, exchange: Exchange) -> bool:
        wait = self.take(self._key(exchange))
        if not wait:
            return False
        exchange.reply.replace(429, "429 too many requests")
        exchange.reply.headers["X-RateLimit-Limit"] = str(self._settings["requests"])
        exchange.reply.headers["X-RateLimit-Window"] = f"{self._settings['window']:g}s"
        exchange.reply.headers[hdrs.RETRY_AFTER] = str(math.ceil(wait))
        return True

    def take(self, key: str) -> float:
        """Take a token; 0, or the seconds until there is one."""
        now = self._clock()
        full = float(self._settings["burst"])
        tokens, at = self._buckets.pop(key, (full, now))
        tokens = min(full, tokens + (now - at) * self._rate)
        taken = tokens >= 1
        self._buckets[key] = (tokens - 1 if taken else tokens, now)
        self._forget(now)
        return 0.0 if taken else (1 - tokens) / self._rate

    def _forget(self, now: float) -> None:
        """The least recently used are first; whoever asks from many addresses must not fill the memory."""
        while self._buckets:
            key, (_, at) = next(iter(self._buckets.items()))
            if len(self._buckets) <= self._settings["max_entries"] and now - at < self._settings["entry_ttl"]:
                return
            del self._buckets[key]

    def _key(self, exchange: Exchange) -> str:
        kind, _, name = self._settings["key"].partition(":")
        found = None
        if kind == "header":
            found = exchange.request.headers.get(name)
        elif kind == "query":
            found = exchange.request.query.get(name)
        # Whoever leaves the key out shares the bucket of his address, and does not get round the limit.
        return f"{kind}:{found}" if found is not None else f"ip:{_host(exchange.remote)}"


# ---- compress


def _compress(settings: Mapping[str, Any]) -> Step:
    def head(reply: Reply, length: int | None) -> None:
        kind = reply.headers.get(hdrs.CONTENT_TYPE, "")
        too_short = length is not None and length < max(settings["min_length"], 1)
        if too_short or not reply.has_body or hdrs.CONTENT_ENCODING in reply.headers or not _COMPRESSIBLE.match(kind):
            return
        reply.headers[hdrs.CONTENT_ENCODING] = "gzip"
        # 31: the largest window, with a gzip header.
        reply.encoder = zlib.compressobj(settings["level"], zlib.DEFLATED, 31)

    def vary(reply: Reply, length: int | None) -> None:
        reply.headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)

    def step(exchange: Exchange) -> bool:
        exchange.reply.before_head.append(vary)
        if _accepts_gzip(exchange.request.headers.get(hdrs.ACCEPT_ENCODING, "")):
            exchange.reply.before_head.append(head)
        return False

    return step


def _accepts_gzip(header: str) -> bool:
    return any(re.fullmatch(r"\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?", part) for part in header.lower().split(","))


# ---- real_ip


def _real_ip(settings: Mapping[str, Any]) -> Step:
    trusted: Sequence[Network] = settings["trusted_subnets"]

    def is_trusted(address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return settings["trust_all"] or any(ip in network for network in trusted)

    def step(exchange: Exchange) -> bool:
        if not is_trusted(_host(exchange.remote)):
            return False
        headers = exchange.request.headers
        # Each proxy appends whom it saw: from the right, the first that is no proxy of ours is the client.
        hops = [hop.strip() for hop in ",".join(headers.getall(hdrs.X_FORWARDED_FOR, [])).split(",")]
        client = next((hop for hop in reversed(hops) if hop and not is_trusted(hop)), hops[0])
        for found in (headers.get("True-Client-IP"), headers.get("X-Real-IP"), client):
            if found and _is_address(found.strip()):
                exchange.remote = found.strip()
                break
        return False

    return step


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _host(remote: str) -> str:
    """The address without the port."""
    return remote if _is_address(remote) else remote.rpartition(":")[0].strip("[]")


_STEPS: dict[str, Callable[[Mapping[str, Any]], Step]] = {
    "cors": _cors,
    "ratelimit": RateLimit,
    "compress": _compress,
    "real_ip": _real_ip,
}
