"""Which endpoint answers a method and path (spec/registry.md, section 5).

A path is a list of segments. A literal segment wins over ``{name}``, and that over ``{rest...}``, from left to right;
a slash at the end means nothing, neither in a pattern nor in a request. Segments are decoded one by one, so that an
encoded slash is part of its segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from fleet.registry import HttpEndpointEntry, HttpRouterEntry


@dataclass(frozen=True)
class Route:
    """An endpoint under its router.

    Attributes:
        pattern: prefix and path together, for people.
        names: of the parameters, in the order of the path; the last one takes the rest if ``rest`` is set.
    """

    endpoint: HttpEndpointEntry
    router: HttpRouterEntry
    pattern: str
    names: tuple[str, ...]
    rest: bool


@dataclass(frozen=True)
class Match:
    """What a request leads to.

    Attributes:
        router: the one of the route, else the one with the longest prefix of the path, None if there is none.
        route: None when no endpoint takes path and method.
        params: values of the route's parameters, as bytes.
        allowed: methods that the path has, sorted; empty for an unknown path.
    """

    router: HttpRouterEntry | None
    route: Route | None = None
    params: dict[str, bytes] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()


@dataclass
class _Node:
    literals: dict[bytes, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    rest: dict[str, Route] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)


class RouteTable:
    """The routes of one server.

    Attributes:
        routes: in the order of the entries.
    """

    def __init__(self, routers: Iterable[HttpRouterEntry], endpoints: Iterable[HttpEndpointEntry]) -> None:
        """``endpoints`` of other routers than ``routers`` are left out."""
        by_id = {router.id: router for router in routers}
        self._prefixes = sorted(
            ((_segments(router.path_prefix), router) for router in by_id.values()), key=lambda pair: -len(pair[0])
        )
        self._root = _Node()
        self.routes = [
            self._add(by_id[endpoint.router], endpoint) for endpoint in endpoints if endpoint.router in by_id
        ]

    def _add(self, router: HttpRouterEntry, endpoint: HttpEndpointEntry) -> Route:
        pattern = router.path_prefix + endpoint.path
        node, names, rest = self._root, [], False
        for segment in _segments(pattern):
            if not segment.startswith(b"{"):
                node = node.literals.setdefault(unquote_to_bytes(segment), _Node())
                continue
            name = segment[1:-1].decode()
            rest = name.endswith("...")
            names.append(name.removesuffix("..."))
            if not rest:
                node.parameter = node.parameter or _Node()
                node = node.parameter
        route = Route(endpoint, router, pattern, tuple(names), rest)
        (node.rest if rest else node.routes)[endpoint.method] = route
        return route

    def match(self, method: str, raw_path: str) -> Match:
        """What answers ``method`` on a path as it stands in the request; GET endpoints answer HEAD too."""
        segments = [unquote_to_bytes(segment) for segment in _segments(raw_path)]
        allowed: set[str] = set()
        for methods, values in _walk(self._root, segments, 0, []):
            route = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
            if route is not None:
                return Match(route.router, route, dict(zip(route.names, values, strict=True)))
            allowed.update(methods)
        if "GET" in allowed:
            allowed.add("HEAD")
        if allowed:
            allowed.add("OPTIONS")
        return Match(self._router(segments), allowed=tuple(sorted(allowed)))

    def _router(self, segments: list[bytes]) -> HttpRouterEntry | None:
        for prefix, router in self._prefixes:
            if len(prefix) <= len(segments) and all(
                wanted.startswith(b"{") or unquote_to_bytes(wanted) == found
                for wanted, found in zip(prefix, segments, strict=False)
            ):
                return router
        return None


def _segments(path: str) -> list[bytes]:
    parts = path.encode().split(b"/")[1:]
    return parts[:-1] if parts and not parts[-1] else parts


def _walk(
    node: _Node, segments: list[bytes], at: int, values: list[bytes]
) -> Iterator[tuple[dict[str, Route], list[bytes]]]:
    """The nodes that a path leads to, best first, with the values of the parameters on the way."""
    if at == len(segments):
        if node.routes:
            yield node.routes, values
    else:
        literal = node.literals.get(segments[at])
        if literal is not None:
            yield from _walk(literal, segments, at + 1, values)
        if node.parameter is not None and segments[at]:
            yield from _walk(node.parameter, segments, at + 1, [*values, segments[at]])
    if node.rest:
        yield node.rest, [*values, b"/".join(segments[at:])]
