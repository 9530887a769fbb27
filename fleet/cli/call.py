"""``fleet call ENTRY [JSON ...]``."""

from __future__ import annotations

import argparse
import json
import sys

from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from fleet.activity import FunctionFailed, Functions
from fleet.process import Node
from fleet.registry import App
from fleet.worker.reach import find_server
from fleet.worker.run_failure import RunFailure, lua_failure

from .apps import add_app_option, function_entry, open_app
from .arguments import add_json_arguments, json_texts
from .exit import FAILED, OK
from .logs import show_logs
from .loop import run_async
from .output import say_error
from .results import for_reading, json_of, payload_of
from .servers import add_server_options, connect_or_explain

EPILOG = """\
The function runs in this process, with its real modules, and not as an activity: no retries, no history. Its result is
printed as JSON on stdout, what it prints or logs goes to stderr. When it starts or messages workflows, it connects to
the server as `fleet run` does.

  fleet call app:charge_payment '{"order_id": "1", "amount": 25}' --app examples/orders"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("entry", metavar="ENTRY", help="id of a function.lua entry (namespace:name)")
    add_json_arguments(parser)
    add_app_option(parser)
    add_server_options(parser)
    parser.add_argument("--json", action="store_true", help='{"result": ...} or {"error": ...} on stdout')


def run(args: argparse.Namespace) -> int:
    """Print the result; FAILED when the function fails."""
    texts = json_texts(args.arguments)
    app = open_app(args.app)
    function_entry(app, args.entry)
    show_logs()
    return run_async(_call(args, app, texts))


async def _call(args: argparse.Namespace, app: App, texts: list[str]) -> int:
    async def connect(client_id: str) -> Client:
        reach = find_server(app, address=args.address, namespace=args.namespace)
        return await connect_or_explain(reach, app.clients[client_id], "`fleet dev` brings a server and workers")

    async with Functions.open(app) as functions, Node(functions, connect):
        try:
            result = await functions.call(args.entry, [payload_of(text).SerializeToString() for text in texts])
        except FunctionFailed as error:
            return _failed(args.entry, lua_failure(error.error), args.json)
    text = json_of(Payload.FromString(result))
    sys.stdout.write((f'{{"result": {text}}}' if args.json else for_reading(text)) + "\n")
    return OK


def _failed(entry: str, failure: RunFailure, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps({"error": failure.as_json()}, ensure_ascii=False) + "\n")
    else:
        say_error(f"{entry} failed: {failure.render()}")
    return FAILED
