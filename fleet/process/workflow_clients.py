"""The clients that starts, signals and watches of workflows go through: by temporal.client and namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowInput,
    WorkflowHandle,
)

from fleet.modules import RequestFailed
from fleet.registry import App

Connect = Callable[[str], Awaitable[Client]]
"""Gives the connected client of a temporal.client entry, by id. What it raises is why there is none."""

_headers: ContextVar[Mapping[str, Payload]] = ContextVar("lua-fleet-headers")


@contextmanager
def headers(fields: Mapping[str, bytes]) -> Iterator[None]:
    """Starts and signals inside the ``with`` block carry these headers (serialized payloads by name)."""
    token = _headers.set({name: Payload.FromString(payload) for name, payload in fields.items()})
    try:
        yield
    finally:
        _headers.reset(token)


class _HeaderInterceptor(Interceptor):
    """The SDK lets interceptors alone set headers."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _HeaderOutbound(next)


class _HeaderOutbound(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        input.headers = {**input.headers, **_headers.get({})}
        return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        input.headers = {**input.headers, **_headers.get({})}
        await super().signal_workflow(input)


def with_headers(client: Client, namespace: str = "") -> Client:
    """The same connection as a client whose starts and signals carry what `headers` says.

    namespace: in place of the client's own.
    """
    config = client.config()
    config["interceptors"] = [*config["interceptors"], _HeaderInterceptor()]
    config["namespace"] = namespace or client.namespace
    return Client(**config)


class WorkflowClients:
    """Clients by temporal.client id and namespace, connected on first use."""

    def __init__(self, app: App, connect: Connect) -> None:
        self._app = app
        self._connect = connect
        self._own: dict[str, asyncio.Task[Client]] = {}
        self._made: dict[tuple[str, str], Client] = {}

    async def get(self, client_id: str, namespace: str = "") -> Client:
        """The client of an entry, in a namespace ("" for its own).

        Raises RequestFailed: NOT_FOUND for no such temporal.client, UNAVAILABLE when it cannot connect.
        """
        if client_id not in self._app.clients:
            raise RequestFailed("NOT_FOUND", f"no temporal.client {client_id} in this application")
        own = self._own.get(client_id)
        if own is None or (own.done() and (own.cancelled() or own.exception() is not None)):
            own = self._own[client_id] = asyncio.ensure_future(self._connected(client_id))
        try:
            client = await asyncio.shield(own)
        except Exception as error:
            text = f"temporal.client {client_id} cannot connect: {error}"
            raise RequestFailed("UNAVAILABLE", text, retryable=True) from None
        key = (client_id, namespace or client.namespace)
        if key not in self._made:
            self._made[key] = with_headers(client, key[1])
        return self._made[key]

    def close(self) -> None:
        """Give up connecting. The connections themselves belong to those who made them."""
        for task in self._own.values():
            task.cancel()

    async def _connected(self, client_id: str) -> Client:
        return await self._connect(client_id)
