"""Options that say which Temporal server a command talks to, and the connection to it."""

from __future__ import annotations

import argparse

from temporalio.client import Client

from fleet.registry import App, ClientEntry
from fleet.registry.problems import did_you_mean
from fleet.worker.connect_error import ConnectError
from fleet.worker.reach import Reach

from .exit import CONFIGURATION, CommandError, UsageError


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """``--address`` and ``--namespace``."""
    parser.add_argument("--address", metavar="HOST:PORT", help="Temporal server")
    parser.add_argument("--namespace", metavar="NAME", help="Temporal namespace (default: that of the client entry)")


def client_of(app: App, id: str | None) -> ClientEntry:
    """The temporal.client `id`, or the only one. Raises CommandError."""
    if id is not None:
        if id not in app.clients:
            raise UsageError(f"there is no temporal.client entry {id}\n    {did_you_mean(id, app.clients)}")
        return app.clients[id]
    if len(app.clients) == 1:
        return next(iter(app.clients.values()))
    if not app.clients:
        raise CommandError("the application has no temporal.client entry to connect with", CONFIGURATION)
    known = ", ".join(app.clients)
    raise UsageError(f"the application has several temporal.client entries\n    give one with --client: {known}")


async def connect_or_explain(reach: Reach, entry: ClientEntry, hint: str = "") -> Client:
    """A client there; the error says where the address came from, and the hint."""
    try:
        return await reach.connect(entry)
    except ConnectError as error:
        more = f"; {hint}" if hint else ""
        raise ConnectError(f"{error}\n    (the address comes from {reach.origin}{more})") from None
