"""An application on an embedded Temporal server: for development, tests and single runs.

The server stands in for every temporal.client of the application: its namespaces and search attributes are made to
exist, and connections go to it without TLS and credentials whatever the entries say.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import watchfiles
from temporalio.client import Client

from fleet.check.inspection import Inspection, inspect_app
from fleet.registry import App, ClientEntry
from fleet.server import EmbeddedServer, ServerError

from .client import connect
from .lifecycle import StartError
from .options import WorkerOptionsError, worker_options
from .serve import ServiceOptions, Serving, serve

GRACE = timedelta(seconds=2)
"""How long activities may go on when the workers stop: somebody waits at the terminal, and Temporal retries them."""

DEBOUNCE = 0.3
"""Seconds of quiet after which saved files are taken as one change."""


@asynccontextmanager
async def embedded_server(
    app: App, *, data_file: Path | None = None, ui: bool = False, port: int | None = None, ui_port: int | None = None
) -> AsyncIterator[EmbeddedServer]:
    """Run an embedded server that is ready for `app`, for the length of an ``async with`` block.

    data_file: where it keeps its data; in memory when None. Raises ServerError.
    """
    namespaces = list(dict.fromkeys(client.namespace for client in app.clients.values()))
    started = EmbeddedServer.start(
        data_file=data_file, namespaces=namespaces or ("default",), ui=ui, port=port, ui_port=ui_port
    )
    async with started as server:
        await prepare(server, app)
        yield server


async def prepare(server: EmbeddedServer, app: App) -> None:
    """Make the namespaces and search attributes of the application's clients exist. Raises ServerError."""
    for client in app.clients.values():
        await server.ensure_namespace(client.namespace, client.search_attributes)


def embedded_connector(server: EmbeddedServer) -> Callable[[ClientEntry], Awaitable[Client]]:
    """The connector that takes every temporal.client entry to `server`."""

    async def connector(entry: ClientEntry) -> Client:
        return await connect(entry, address=server.address, plaintext=True)

    return connector


@asynccontextmanager
async def serve_embedded(app: App, server: EmbeddedServer, *, services: bool = True) -> AsyncIterator[Serving]:
    """Serve `app` on `server` for the length of an ``async with`` block. Raises what `serve` raises.

    services: whether to start those that are no workers too.
    """
    overrides = {"graceful_shutdown_timeout": GRACE}
    options = ServiceOptions(loopback=True, drain=GRACE.total_seconds()) if services else None
    async with serve(app, embedded_connector(server), overrides=overrides, services=options) as serving:
        yield serving


@dataclass
class DevEvents:
    """What `serve_reloading` tells of its progress. Each is called on the event loop and must not block.

    Attributes:
        serving: workers poll; called again after each reload.
        reloading: files changed and the new application is valid: workers are being replaced.
        broken: files changed and the new application does not load or compile: the old one is kept.
        refused: files changed and the new application cannot be served, with the reason: the old one is kept.
        restored: the files are again what is served.
        unwatched: files cannot be watched, with the reason.
    """

    serving: Callable[[Serving], None]
    reloading: Callable[[Inspection], None]
    broken: Callable[[Inspection], None]
    refused: Callable[[str], None]
    restored: Callable[[], None]
    unwatched: Callable[[str], None]


async def serve_reloading(app: App, server: EmbeddedServer, events: DevEvents, *, reload: bool = True) -> None:
    """Serve `app` on `server` and replace it whenever its files change, until cancelled.

    Raises what a worker, a service or the server ended with.
    """
    before: App | None = None
    again = False
    while True:
        try:
            async with serve_embedded(app, server) as serving:
                if not again:
                    events.serving(serving)
                change = _next_app(app, server, events) if reload else asyncio.Event().wait()
                found = await first(change, serving.failed(), _server_end(server))
        except StartError as error:
            if before is None:
                raise
            events.refused(str(error))
            app, before, again = before, None, True
            continue
        assert isinstance(found, App), "everything else raises or waits for ever"
        app, before, again = found, app, False


async def _next_app(app: App, server: EmbeddedServer, events: DevEvents) -> App:
    """The next state of the application's files that is not `app` and can be served."""
    last = app.content_hash
    try:
        async for _ in watchfiles.awatch(app.root, debounce=int(DEBOUNCE * 1000), step=100, raise_interrupt=False):
            inspection = await asyncio.to_thread(inspect_app, app.root)
            if inspection.app is None or not inspection.runnable:
                events.broken(inspection)
                last = ""
            elif inspection.app.content_hash == app.content_hash:
                # Back to what is served: nothing to replace, but after a broken state the repair deserves a word.
                if last != app.content_hash:
                    events.restored()
                last = app.content_hash
            elif inspection.app.content_hash != last:
                last = inspection.app.content_hash
                try:
                    await _make_ready(inspection.app, server)
                except (ServerError, WorkerOptionsError) as error:
                    events.refused(str(error))
                    continue
                events.reloading(inspection)
                return inspection.app
    except OSError as error:
        events.unwatched(str(error))
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def _make_ready(app: App, server: EmbeddedServer) -> None:
    """Do what may fail while the old workers still run."""
    for worker in app.workers.values():
        worker_options(worker)
    await prepare(server, app)


async def _server_end(server: EmbeddedServer) -> None:
    error = await server.died()
    if error is not None:
        raise error
    await asyncio.Event().wait()


async def first(*works: Awaitable[object]) -> object:
    """The result of the first work to end, or what it raises; the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
