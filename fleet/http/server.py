"""An http.service: listens, and lets Lua functions answer (spec/registry.md, section 5)."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from datetime import timedelta

from aiohttp import hdrs, web

from fleet.activity import FunctionFailed, Functions
from fleet.metrics.work import HTTP_REQUESTS, HTTP_SECONDS, expect_endpoint
from fleet.modules.caller import text
from fleet.registry import HttpServiceEntry

from .admission import Admission, Overloaded
from .exchange import Exchange
from .middleware import steps_of
from .routes import Route, RouteTable
from .tls import TlsError, server_context

log = logging.getLogger("fleet.http")

IDLE = 75.0
"""Seconds that a connection may be without a request when ``timeouts.idle`` is not given."""

_LOOPBACK = "127.0.0.1"
_CANCELLED = 2.0


class ListenError(Exception):
    """A service cannot listen; the text says where and why."""


class HttpServer:
    """The server of one http.service entry.

    Attributes:
        id: of the entry.
        requires: ids of the services that it needs.
        routes: what it answers.
        warnings: settings that have no effect, one text each.
    """

    def __init__(
        self,
        entry: HttpServiceEntry,
        functions: Functions,
        *,
        loopback: bool = False,
        drain: float | None = None,
        reuse_port: bool = False,
    ) -> None:
        """
        Args:
            entry: what to serve.
            functions: the application's functions; must outlive the server.
            loopback: an address without a host is 127.0.0.1, not every interface.
            drain: seconds that requests may still take after ``stop``; most of the entry's ``stop_timeout`` when None.
            reuse_port: several processes may listen on the port, and the kernel spreads connections over them.
        """
        app = functions.app
        self.id = entry.id
        self.requires = entry.requires
        routers = [router for router in app.http_routers.values() if router.server == entry.id]
        self.routes = RouteTable(routers, app.http_endpoints.values())
        for endpoint in app.http_endpoints.values():
            expect_endpoint(endpoint.id)
        self._middleware = {router.id: steps_of(router) for router in routers}
        self.warnings = _warnings(entry)
        self._entry = entry
        self._functions = functions
        self._host = entry.addr.rpartition(":")[0].strip("[]") or (_LOOPBACK if loopback else None)
        stop_timeout = entry.lifecycle.stop_timeout.total_seconds()
        self._drain = max(stop_timeout - _CANCELLED, 0.0) if drain is None else drain
        self._reuse_port = reuse_port
        self._admission = Admission(entry.host.worker_count, entry.host.buffer_size)
        self._read_timeout = _seconds(entry.timeouts.read)
        self._write_timeout = _seconds(entry.timeouts.write)
        self._server: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._requests: set[asyncio.Task[object]] = set()
        self._stopping = False

    @property
    def port(self) -> int:
        """The port that it listens on; 0 before ``start``."""
        sockets = self._listener.sockets if self._listener is not None else ()
        return int(sockets[0].getsockname()[1]) if sockets else 0

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        scheme = "https" if self._entry.tls.mode == "manual" else "http"
        host = self._host if self._host not in (None, "0.0.0.0", "::") else _LOOPBACK
        return f"{scheme}://{f'[{host}]' if ':' in str(host) else host}:{self.port}"

    # ---- lifecycle (fleet.worker.lifecycle)

    async def start(self) -> None:
        """Listen. Raises ListenError."""
        address, port = self._entry.addr, int(self._entry.addr.rpartition(":")[2])
        try:
            context = server_context(self._entry, self._functions.app)
        except TlsError as error:
            raise ListenError(str(error)) from None
        self._stopping = False
        idle = _seconds(self._entry.timeouts.idle)
        self._server = web.Server(
            self._answer,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=IDLE if idle is None else idle,
        )
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._server, self._host, port, ssl=context, backlog=1024, reuse_port=self._reuse_port or None
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise ListenError(f"cannot listen on {address}: {reason.lower()}") from None

    async def stop(self) -> None:
        """Accept nothing more, let running requests end, cancel those that take too long."""
        if self._listener is None or self._server is None:
            return
        self._stopping = True
        self._listener.close()
        # Whoever has connected is served: his request may be on the way to its handler.
        await asyncio.sleep(0)
        self._server.pre_shutdown()
        if self._requests:
            _, late = await asyncio.wait(self._requests, timeout=self._drain)
            for task in late:
                task.cancel()
            if late:
                log.warning("%s: %d requests had not ended %g s after the stop", self.id, len(late), self._drain)
                await asyncio.wait(late, timeout=_CANCELLED)
        await self._server.shutdown(0.1)
        self._listener = self._server = None

    async def failed(self) -> None:
        """Wait for ever: a listening socket does not end by itself."""
        await asyncio.get_running_loop().create_future()

    # ---- requests

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._requests.add(task)
        began = time.monotonic()
        exchange = Exchange(request, read_timeout=self._read_timeout, write_timeout=self._write_timeout)
        result = "canceled"
        try:
            try:
                await self._dispatch(exchange)
            except Exception:
                id = _request_id()
                log.exception("%s: the request %s failed in the server", _place(exchange), id)
                exchange.reply.replace(500, f"500 internal error (request {id})")
            if self._stopping:
                exchange.reply.headers[hdrs.CONNECTION] = "close"
            response = await exchange.reply.finish()
            result = f"{response.status // 100}xx"
        finally:
            self._requests.discard(task)
            seconds, endpoint = time.monotonic() - began, exchange.endpoint or "(none)"
            HTTP_REQUESTS.labels(endpoint, result).add()
            HTTP_SECONDS.labels(endpoint).observe(seconds)
        log.info("%s %d %.1f ms", _place(exchange), response.status, seconds * 1000)
        return response

    async def _dispatch(self, exchange: Exchange) -> None:
        request, reply = exchange.request, exchange.reply
        match = self.routes.match(request.method, request.rel_url.raw_path)
        if match.router is not None and any(step(exchange) for step in self._middleware[match.router.id]):
            return
        if match.route is not None:
            exchange.params = match.params
            exchange.endpoint = match.route.endpoint.id
            await self._run(exchange, match.route)
        elif not match.allowed:
            reply.replace(404, "404 not found")
        else:
            if request.method == hdrs.METH_OPTIONS:
                reply.status = 204
            else:
                reply.replace(405, "405 method not allowed")
            reply.headers[hdrs.ALLOW] = ", ".join(match.allowed)

    async def _run(self, exchange: Exchange, route: Route) -> None:
        """Let the function answer, and see to it that there is an answer."""
        reply = exchange.reply
        try:
            async with self._admission:
                result = await self._functions.start(route.endpoint.func, [], None, exchange=exchange)
        except Overloaded:
            reply.replace(503, "503 too many requests at once, try again")
            reply.headers[hdrs.RETRY_AFTER] = "1"
        except FunctionFailed as failed:
            self._failed(exchange, route, failed)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stopping or exchange.request.transport is None or task is None:
                raise
            task.uncancel()
            if reply.on_the_wire:
                reply.abort()
            else:
                reply.replace(503, "503 the server is stopping, try again")
                reply.headers[hdrs.RETRY_AFTER] = "1"
        else:
            if not reply.touched and not exchange.returned(result):
                id = _request_id()
                func = route.endpoint.func
                log.error("%s: %s wrote no response and returned nothing (request %s)", _place(exchange), func, id)
                reply.replace(500, f"500 no response sent (request {id})")

    def _failed(self, exchange: Exchange, route: Route, failed: FunctionFailed) -> None:
        """Errors hold what clients must not see: they get an id, under which the log has everything."""
        error, reply = failed.error, exchange.reply
        message = text(error.message or "")
        if exchange.fault is not None and message == exchange.fault[1] and not reply.touched:
            # The handler has passed on what was wrong with the request.
            status, said = exchange.fault
            reply.replace(status, f"{status} {said}")
            return
        id = _request_id()
        stack = text(error.stack or "")
        place = _place(exchange)
        log.error("%s: %s failed (request %s): %s: %s\n%s", place, route.endpoint.func, id, error.kind, message, stack)
        if reply.on_the_wire:
            reply.abort()
        elif error.thrown or not reply.touched:
            reply.replace(500, f"500 internal error (request {id})")


def _place(exchange: Exchange) -> str:
    # As it stands in the request: a decoded line break would forge lines of the log.
    return f"{exchange.request.method} {exchange.request.rel_url.raw_path}"


def _request_id() -> str:
    return secrets.token_hex(6)


def _seconds(given: timedelta | None) -> float | None:
    return None if given is None else given.total_seconds()


def _warnings(entry: HttpServiceEntry) -> list[str]:
    place = f"{entry.file}:{entry.line}: {entry.id}"
    found = []
    if entry.network:
        found.append(f"{place}: network has no effect: there are no overlay networks")
    return found


def http_servers(
    functions: Functions, *, loopback: bool = False, drain: float | None = None, reuse_port: bool = False
) -> list[HttpServer]:
    """A server for each http.service of the application, not started; arguments as for the class."""
    services = functions.app.http_services.values()
    return [HttpServer(entry, functions, loopback=loopback, drain=drain, reuse_port=reuse_port) for entry in services]
