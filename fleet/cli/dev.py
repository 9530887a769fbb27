"""``fleet dev APP``."""

from __future__ import annotations

import argparse
import shlex
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.check.inspection import Inspection, inspect_app
from fleet.registry import App
from fleet.server import EmbeddedServer, default_data_file
from fleet.worker.dev import DevEvents, embedded_server, serve_reloading
from fleet.worker.serve import Serving

from .apps import add_app_argument, app_directory
from .exit import CONFIGURATION, OK, CommandError, UsageError
from .logs import show_logs
from .loop import run_async
from .output import count, say, say_error, say_warning, shown_path, stderr, write_problems

if TYPE_CHECKING:
    from fleet.http import HttpServer

EPILOG = """\
The server stands in for every temporal.client of the application. Its data is kept in a file, so that after a restart
open workflows go on; --ephemeral keeps nothing. When a file of the application is saved, the new code is checked and
then served; code that does not load leaves the old code running. Ctrl-C ends everything that was started."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_app_argument(parser)
    parser.add_argument("--port", type=_port, metavar="PORT", help="port of the Temporal server (default: a free one)")
    parser.add_argument("--ui-port", type=_port, metavar="PORT", help="port of the web UI (default: a free one)")
    parser.add_argument("--data", metavar="FILE", help="file for the server's data (default: below ~/.local/state)")
    parser.add_argument("--ephemeral", action="store_true", help="keep the server's data in memory only")
    parser.add_argument("--no-reload", action="store_true", help="do not watch the application's files")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port number")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    if args.ephemeral and args.data:
        raise UsageError("--data keeps the server's data and --ephemeral does not: choose one")
    root = app_directory(args.app).resolve()
    inspection = inspect_app(root)
    write_problems(inspection.problems, root, stderr())
    if inspection.app is None or not inspection.runnable:
        errors = count(len(inspection.errors), "error")
        raise CommandError(f"the application {args.app} does not load: {errors}", CONFIGURATION)
    data = None if args.ephemeral else Path(args.data) if args.data else default_data_file(root)
    show_logs()
    return run_async(_dev(inspection.app, args, data))


async def _dev(app: App, args: argparse.Namespace, data: Path | None) -> int:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            embedded_server(app, data_file=data, ui=True, port=args.port, ui_port=args.ui_port)
        )
        view = _View(server, args.app)
        events = DevEvents(
            serving=view.serving,
            reloading=view.reloading,
            broken=view.broken,
            refused=view.refused,
            restored=view.restored,
            unwatched=view.unwatched,
        )
        await serve_reloading(app, server, events, reload=not args.no_reload)
    return OK


class _View:
    """What `fleet dev` says."""

    def __init__(self, server: EmbeddedServer, shown_app: str) -> None:
        self._server = server
        self._shown_app = shown_app
        self._told = False

    def serving(self, serving: Serving) -> None:
        for warning in serving.warnings:
            say_warning(warning)
        if self._told:
            say("reloaded", "green")
            return
        self._told = True
        server = self._server
        say(f"Web UI    {server.ui_url}", "bold")
        say(f"Temporal  {server.address}")
        say(f"data      {shown_path(server.data_file) if server.data_file else 'in memory'}")
        for id in serving.workers:
            self._worker(serving.app, id)
        for http in serving.http:
            self._http(http)
        if not serving.workers and not serving.http:
            say_warning("nothing is served: no workflow or activity names a temporal.worker")
        served = (entry for entry in serving.app.workflows.values() if entry.worker in serving.workers)
        if (entry := next(served, None)) is not None:
            app = "" if self._shown_app == "." else f" --app {shlex.quote(self._shown_app)}"
            say(f"\nstart one:  fleet run {entry.id}{app}", "dim")
        say("Ctrl-C ends it", "dim")

    def _worker(self, app: App, id: str) -> None:
        worker = app.workers[id]
        say(f"worker    {id}  task queue {worker.task_queue}, namespace {app.clients[worker.client].namespace}")
        for what, entries in (("workflow", app.workflows_of(id)), ("activity", app.activities_of(id))):
            for entry in entries:
                say(f"            {what:<9} {entry.id}")

    def _http(self, server: HttpServer) -> None:
        say(f"http      {server.url}  {server.id}")
        for route in server.routes.routes:
            say(f"            {route.endpoint.method:<9} {route.pattern}  {route.endpoint.func}")

    def reloading(self, inspection: Inspection) -> None:
        self._problems(inspection)
        say("files changed: reloading", "dim")

    def broken(self, inspection: Inspection) -> None:
        self._problems(inspection)
        say_error("not reloaded, the code from before goes on running")

    def refused(self, reason: str) -> None:
        say_error(f"not reloaded, the code from before goes on running: {reason}")

    def restored(self) -> None:
        say("the files are again what is running", "green")

    def unwatched(self, reason: str) -> None:
        say_warning(f"files are not watched, so nothing is reloaded: {reason}")

    def _problems(self, inspection: Inspection) -> None:
        # A broken application has no App to ask for its directory; all of its paths are relative to what was given.
        write_problems(inspection.problems, Path(self._shown_app).resolve(), stderr())
