"""Which Temporal server a command talks to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.client import Client

from fleet.registry import App, ClientEntry
from fleet.server import default_data_file, running_server

from .client import connect


@dataclass(frozen=True)
class Reach:
    """Where the server is.

    Attributes:
        address: ``host:port``; None is the entry's own.
        namespace: None is the entry's own.
        origin: who says so, for messages.
        plaintext: it is an embedded server, which has neither TLS nor credentials.
        ui_url: its web UI when we know it, else "".
    """

    address: str | None
    namespace: str | None
    origin: str
    plaintext: bool = False
    ui_url: str = ""

    async def connect(self, entry: ClientEntry) -> Client:
        """A client of `entry`, connected there. Raises ConnectError."""
        return await connect(entry, address=self.address, namespace=self.namespace, plaintext=self.plaintext)


def find_server(
    app: App, *, address: str | None = None, namespace: str | None = None, environ: Mapping[str, str] = os.environ
) -> Reach:
    """The server for `app`: `address`, else TEMPORAL_ADDRESS, else its running ``fleet dev``, else that of its entries.

    `namespace`: in place of TEMPORAL_NAMESPACE and of the entries'.
    """
    running = running_server(default_data_file(app.root))
    namespace = namespace or environ.get("TEMPORAL_NAMESPACE") or None
    given = address or environ.get("TEMPORAL_ADDRESS")
    if given and (running is None or running.address != given):
        return Reach(given, namespace, "--address" if address else "TEMPORAL_ADDRESS")
    if running is not None:
        host = running.address.rpartition(":")[0]
        ui = f"http://{host}:{running.ui_port}" if running.ui_port else ""
        return Reach(running.address, namespace, "the running `fleet dev`", plaintext=True, ui_url=ui)
    return Reach(None, namespace, "the temporal.client entry")
