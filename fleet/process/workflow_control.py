"""The workflows of a fleet as functions and processes outside see them: start, message, watch, stop
(spec/workflows.md, sections 3, 4 and 9; decisions 16, 20 to 24)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.service import RPCError

from fleet.modules import RequestFailed
from fleet.registry import App

from .workflow_clients import WorkflowClients, headers
from .workflow_errors import refused
from .workflow_follow import Ending, Following
from .workflow_start import FROM_HEADER, RPC_TIMEOUT, Start, start_workflow


@dataclass(frozen=True)
class Destination:
    """Where a start goes.

    Attributes:
        type: Temporal workflow type.
        client: id of the temporal.client.
        task_queue: where a worker polls for it.
        entry: id of the workflow.lua entry, "" for a type name on a raw task queue.
    """

    type: str
    client: str
    task_queue: str
    entry: str = ""


@dataclass(frozen=True)
class Started:
    """A workflow that has been started, or that ran already.

    Attributes:
        node, workflow_id: of its PID.
        run_id: its run.
        chain: the first run of the chain that the run is of (by continue-as-new, retries or cron).
    """

    node: str
    workflow_id: str
    run_id: str
    chain: str = ""


class Workflows:
    """Starts, messages, watches and stops workflows; one per serving process.

    A workflow is addressed by the node of its PID (`<client id>` or `<client id>/<namespace>`) and its workflow id.
    What fails raises RequestFailed: NOT_FOUND, ALREADY_EXISTS, INVALID, PERMISSION_DENIED, UNAVAILABLE (retryable),
    RATE_LIMITED, TIMEOUT.
    """

    def __init__(self, app: App, clients: WorkflowClients) -> None:
        self._app = app
        self._clients = clients
        self._following = Following()

    def destination(self, id: str, host: str, own_client: str = "") -> Destination:
        """Where `id` runs on `host` (decisions 20 and 21).

        host: id of the temporal.worker that the entry names, or a raw task queue, where `id` is a Temporal type name.
        own_client: the client that a raw task queue is taken to be of, when the caller has one.
        """
        worker = self._app.workers.get(host)
        if worker is None:
            return Destination(id, self._client_of_queue(host, own_client), self._raw_queue(host))
        entry = self._app.workflows.get(id)
        if entry is None:
            if id in self._app.entries:
                kind = self._app.entries[id].kind
                raise RequestFailed("INVALID", f"{id} is a {kind}, the temporal.worker {host} runs workflows only")
            raise RequestFailed("NOT_FOUND", f"no workflow {id} in this application")
        if entry.worker is None:
            raise RequestFailed("NOT_FOUND", f"{id} is bound to no worker: {entry.file}:{entry.line} names none")
        if entry.worker != host:
            raise RequestFailed("INVALID", f"{id} runs on {entry.worker}, not on {host}")
        return Destination(entry.type_name, worker.client, worker.task_queue, id)

    async def start(self, client_id: str, start: Start) -> Started:
        """Start a workflow through a temporal.client; the option namespace leads to another of its namespaces."""
        own = await self._clients.get(client_id)
        client = await self._clients.get(client_id, start.options.get("namespace", ""))
        handle = await start_workflow(client, start, self._app.clients[client_id].search_attributes)
        node = client_id if client.namespace == own.namespace else f"{client_id}/{client.namespace}"
        run_id = handle.result_run_id or ""
        return Started(node, handle.id, run_id, handle.first_execution_run_id or run_id)

    async def follow(self, node: str, workflow_id: str, run_id: str = "") -> Ending:
        """Wait for the end of a workflow, through continue-as-new, retries, cron and resets, beginning at a run ("" for
        the latest). One that does not exist ends with an error of kind NOT_FOUND. Cancel the task to stop watching."""
        return await self._following.follow(await self._client(node), workflow_id, run_id)

    async def signal(
        self, node: str, workflow_id: str, topic: str, payloads: Sequence[bytes], sender: bytes | None
    ) -> None:
        """Send a message. payloads: serialized, one at least; sender: the payload with the sender's PID, or None."""
        client = await self._client(node)
        values = [RawValue(Payload.FromString(payload)) for payload in payloads]
        try:
            with headers({FROM_HEADER: sender} if sender is not None else {}):
                handle = client.get_workflow_handle(workflow_id)
                await handle.signal(topic, args=values, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            raise refused(error, f"cannot send to workflow {workflow_id}") from None

    async def cancel(self, node: str, workflow_id: str, reason: str) -> None:
        """Ask a workflow to end. reason: what lua_modules/cancel_reason.lua made of the argument of process.cancel."""
        handle = (await self._client(node)).get_workflow_handle(workflow_id)
        what = f"cannot cancel workflow {workflow_id}"
        try:
            # The server takes the cancel of an ended workflow for a success.
            if (await handle.describe(rpc_timeout=RPC_TIMEOUT)).close_time is not None:
                raise RequestFailed("NOT_FOUND", f"{what}: it has ended")
            await handle.cancel(reason=reason, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            raise refused(error, what) from None

    async def terminate(self, node: str, workflow_id: str) -> None:
        """End a workflow at once."""
        client = await self._client(node)
        try:
            await client.get_workflow_handle(workflow_id).terminate(reason="process.terminate", rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            raise refused(error, f"cannot terminate workflow {workflow_id}") from None

    async def _client(self, node: str) -> Client:
        client_id, _, namespace = node.partition("/")
        return await self._clients.get(client_id, namespace)

    def _raw_queue(self, host: str) -> str:
        """A host that is no worker's id is a task queue, unless it looks like the id of an entry that is missing."""
        namespace, colon, _ = host.partition(":")
        if host in self._app.entries or (colon and namespace in {id.partition(":")[0] for id in self._app.entries}):
            known = ", ".join(sorted(self._app.workers)) or "none"
            raise RequestFailed("NOT_FOUND", f"host not found: no temporal.worker {host} (there are: {known})")
        return host

    def _client_of_queue(self, host: str, own_client: str) -> str:
        if own_client:
            return own_client
        if len(self._app.clients) == 1:
            return next(iter(self._app.clients))
        if not self._app.clients:
            raise RequestFailed("NOT_FOUND", f"host not found: {host} (the application has no temporal.client)")
        choices = ", ".join(sorted(self._app.workers)) or "none"
        raise RequestFailed(
            "INVALID",
            f"the task queue {host} could be of any temporal.client ({', '.join(sorted(self._app.clients))}):"
            f" give the id of a temporal.worker as the host ({choices})",
        )
