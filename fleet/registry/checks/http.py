"""Routes: one router for a prefix, one endpoint for a method and path."""

from __future__ import annotations

import re

from ..catalog import Catalog, place
from ..kinds.http import HttpEndpointEntry, HttpRouterEntry, HttpServiceEntry

_WILDCARD = re.compile(r"\{[^{}]*\.\.\.\}$")
_PARAMETER = re.compile(r"\{[^{}]*\}")


def check(catalog: Catalog) -> None:
    """Reports services on one address, and routers and endpoints of one server that answer the same requests."""
    _addresses(catalog)
    _prefixes(catalog)
    _routes(catalog)


def _addresses(catalog: Catalog) -> None:
    taken: dict[str, HttpServiceEntry] = {}
    for service in catalog.of(HttpServiceEntry):
        first = taken.setdefault(service.addr, service)
        if first is not service and not service.addr.endswith(":0"):
            catalog.error(service, "addr", f"is the address of another service already: {place(first)}")


def _prefixes(catalog: Catalog) -> None:
    taken: dict[tuple[str, str], HttpRouterEntry] = {}
    for router in catalog.of(HttpRouterEntry):
        first = taken.setdefault((router.server, router.path_prefix), router)
        if first is not router:
            catalog.error(
                router,
                "prefix",
                f"server {router.server} has a router with this prefix already: {place(first)}",
                hint="put the endpoints on one router, or give this one another prefix",
            )


def _routes(catalog: Catalog) -> None:
    taken: dict[tuple[str, str, str], HttpEndpointEntry] = {}
    for endpoint in catalog.of(HttpEndpointEntry):
        router = catalog.get(HttpRouterEntry, endpoint.router)
        if router is None:
            continue
        # Names of parameters do not tell routes apart, only where they stand; nor does a slash at the end.
        shape = _PARAMETER.sub("{}", _WILDCARD.sub("{...}", (router.path_prefix + endpoint.path).rstrip("/")))
        first = taken.setdefault((router.server, endpoint.method, shape.replace("{...}", "*")), endpoint)
        if first is not endpoint:
            catalog.error(
                endpoint,
                "path",
                f"{endpoint.method} {router.path_prefix}{endpoint.path} is answered already by {place(first)}",
                hint="give one of them another path or method",
            )
