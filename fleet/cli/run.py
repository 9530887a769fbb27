"""``fleet run ENTRY [JSON ...]``."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue

from fleet.modules import RequestFailed
from fleet.registry import App, ClientEntry, WorkflowEntry, parse_duration
from fleet.server import workflow_url
from fleet.worker.dev import embedded_server, first, serve_embedded
from fleet.worker.follow import Ended, Follower
from fleet.worker.reach import find_server
from fleet.worker.start import start_run

from .apps import add_app_option, open_app, workflow_entry
from .arguments import add_json_arguments, json_texts
from .exit import CONFIGURATION, FAILED, OK, SERVER, CommandError, UsageError
from .logs import show_logs
from .loop import run_async
from .output import say, say_error, say_warning
from .progress import RunView
from .results import for_reading, json_of, payload_of
from .servers import add_server_options, connect_or_explain

EPILOG = """\
Where the server is: --address, else TEMPORAL_ADDRESS, else a running `fleet dev` of the same application, else the
temporal.client entry of the workflow's worker. With --embedded a server and workers are started for this one run.

  fleet run app:order_workflow '{"id": "1", "total": 25}' --app examples/orders
  fleet run app:order_workflow @order.json --id order-1 --detach

The result is printed as JSON on stdout; a failed run prints kind, message and Lua stack on stderr, exit code 1.
Ctrl-C stops the waiting, not the workflow (except with --embedded)."""

_GIVE_UP_AFTER = 2
"""Failed workflow tasks in a row: nobody repairs the code of an --embedded run, and the next try is 10 s away."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("entry", metavar="ENTRY", help="id of a workflow.lua entry (namespace:name)")
    add_json_arguments(parser)
    add_app_option(parser)
    add_server_options(parser)
    parser.add_argument("--embedded", action="store_true", help="bring server and workers up and down around the run")
    parser.add_argument("--id", metavar="ID", default="", help="workflow id (default: a generated one)")
    parser.add_argument("--detach", action="store_true", help="do not wait; print the workflow id")
    parser.add_argument("--timeout", metavar="DURATION", default="", help="stop waiting after this time, such as 30s")
    parser.add_argument("--json", action="store_true", help="ids with the result or error as one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Print the result; FAILED when the workflow fails or is not done in time."""
    if args.embedded and (args.address or args.namespace or args.detach):
        raise UsageError("--embedded brings a server for this run alone: it excludes --address, --namespace, --detach")
    try:
        patience = parse_duration(args.timeout) if args.timeout else None
    except ValueError:
        raise UsageError(f"--timeout {args.timeout} is not a duration such as 30s or 5m") from None
    texts = json_texts(args.arguments)
    app = open_app(args.app)
    entry = workflow_entry(app, args.entry)
    if entry.worker is None:
        raise CommandError(
            f"{entry.file}:{entry.line}: {entry.id} names no worker, so nothing would run it\n"
            "    add meta.temporal.workflow.worker with the id of a temporal.worker",
            CONFIGURATION,
        )
    show_logs()
    return run_async(_run(args, app, entry, texts, patience))


async def _run(
    args: argparse.Namespace, app: App, entry: WorkflowEntry, texts: list[str], patience: timedelta | None
) -> int:
    client_entry = app.clients[app.workers[entry.worker or ""].client]
    async with _server(args, app, client_entry) as (client, ui_url, trouble):
        try:
            handle = await start_run(client, app, entry, [payload_of(text) for text in texts], workflow_id=args.id)
        except RequestFailed as error:
            unreached = error.error.kind in ("UNAVAILABLE", "TIMEOUT", "PERMISSION_DENIED", "RATE_LIMITED")
            raise CommandError(str(error), SERVER if unreached else FAILED) from None
        link = workflow_url(ui_url, client.namespace, handle.id, handle.result_run_id or "") if ui_url else ""
        if args.detach:
            sys.stdout.write((json.dumps(_ids(handle)) if args.json else handle.id) + "\n")
            say(link, "dim") if link else None
            return OK
        say(f"{entry.id} runs as {handle.id}{f'  {link}' if link else ''}", "dim")
        return await _wait(args, entry, handle, patience, trouble)


class _Server(NamedTuple):
    """A client; the URL of the web UI, "" if unknown; what waits for ever, or raises what goes wrong there."""

    client: Client
    ui_url: str
    trouble: Callable[[], Awaitable[object]]


@asynccontextmanager
async def _server(args: argparse.Namespace, app: App, entry: ClientEntry) -> AsyncIterator[_Server]:
    """The server where the run is to be."""
    if args.embedded:
        # A port may be that of a running `fleet dev`, and nobody asks anything of a server for one run.
        async with embedded_server(app) as server, serve_embedded(app, server, services=False) as serving:
            for warning in serving.warnings:
                say_warning(warning)
            yield _Server(serving.clients[entry.id], "", serving.failed)
        return
    reach = find_server(app, address=args.address, namespace=args.namespace)
    hint = "`fleet run --embedded` brings its own server"
    yield _Server(await connect_or_explain(reach, entry, hint), reach.ui_url, asyncio.Event().wait)


async def _wait(
    args: argparse.Namespace,
    entry: WorkflowEntry,
    handle: WorkflowHandle[object, RawValue],
    patience: timedelta | None,
    trouble: Callable[[], Awaitable[object]],
) -> int:
    with RunView(entry.id, handle.id) as view:
        follower = Follower(handle, view.show, give_up_after=_GIVE_UP_AFTER if args.embedded else None)
        try:
            async with asyncio.timeout(patience.total_seconds() if patience is not None else None):
                ended = await first(follower.ended(), trouble())
        except TimeoutError:
            say_error(f"{handle.id} has not ended after {args.timeout}{'' if args.embedded else '; it goes on'}")
            return FAILED
        except asyncio.CancelledError:
            if not args.embedded:
                say(f"{handle.id} goes on", "dim")
            raise
    assert isinstance(ended, Ended)
    return _tell(args, entry, handle, ended)


def _tell(
    args: argparse.Namespace, entry: WorkflowEntry, handle: WorkflowHandle[object, RawValue], ended: Ended
) -> int:
    if ended.failure is not None:
        if args.json:
            facts = {**_ids(handle), "error": ended.failure.as_json()}
            sys.stdout.write(json.dumps(facts, ensure_ascii=False, default=str) + "\n")
        else:
            say_error(f"{entry.id} failed: {ended.failure.render()}")
        return FAILED
    text = json_of(ended.result)
    # Put together as text: the result's digits stay as they are.
    whole = f'{json.dumps(_ids(handle))[:-1]}, "result": {text}}}'
    sys.stdout.write((whole if args.json else for_reading(text)) + "\n")
    return OK


def _ids(handle: WorkflowHandle[object, RawValue]) -> dict[str, str | None]:
    return {"workflow_id": handle.id, "run_id": handle.result_run_id}
