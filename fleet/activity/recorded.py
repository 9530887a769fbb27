"""Activities of the runtime itself: what a workflow may not do on its own and history must record.

Workflows run them as local activities, so they are done where the workflow task is (decisions 7 and 19).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryReverseRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from . import payloads


@dataclass(frozen=True)
class Asker:
    """Who has something recorded: the activity ``activity_id`` of a run, on a worker that polls with ``client``."""

    client: Client
    run_id: str
    activity_id: str


Recorded = Callable[[list[bytes], Asker], Coroutine[Any, Any, bytes]]


async def random(arguments: list[bytes], asker: Asker) -> bytes:
    """Randomness of the operating system, for ``crypto``: argument 1 is the number of bytes."""
    return payloads.encode(os.urandom(payloads.decode(arguments[0])))


async def terminate(arguments: list[bytes], asker: Asker) -> bytes:
    """``process.terminate`` of the workflow with the id of argument 1 in the namespace of argument 2: did it run?

    A worker that dies, or drops the run, before history has the answer makes the request once more: what the first one
    has ended counts as running. Raises ApplicationError, of an error kind, when the server will not have it.
    """
    workflow_id, namespace = (payloads.decode(argument) for argument in arguments)
    client = asker.client
    target = WorkflowExecution(workflow_id=workflow_id)
    mark = Payload.FromString(payloads.encode(f"{asker.run_id}/{asker.activity_id}"))
    request = TerminateWorkflowExecutionRequest(
        namespace=namespace,
        workflow_execution=target,
        reason="process.terminate",
        details=Payloads(payloads=[mark]),
        identity=client.identity,
    )
    try:
        await client.workflow_service.terminate_workflow_execution(request, retry=True)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return payloads.encode(await _was_ended(client, namespace, target, mark))
        if error.status in _REFUSALS:
            raise ApplicationError(error.message, type=_REFUSALS[error.status], non_retryable=True) from error
        raise
    return payloads.encode(True)


async def _was_ended(client: Client, namespace: str, target: WorkflowExecution, mark: Payload) -> bool:
    """Whether the last event of the workflow is the termination with this mark."""
    request = GetWorkflowExecutionHistoryReverseRequest(namespace=namespace, execution=target, maximum_page_size=1)
    try:
        answer = await client.workflow_service.get_workflow_execution_history_reverse(request, retry=True)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    last = answer.history.events[0] if answer.history.events else HistoryEvent()
    return mark in last.workflow_execution_terminated_event_attributes.details.payloads


_REFUSALS = {
    RPCStatusCode.PERMISSION_DENIED: "PERMISSION_DENIED",
    RPCStatusCode.UNAUTHENTICATED: "PERMISSION_DENIED",
    RPCStatusCode.INVALID_ARGUMENT: "INVALID",
}

RECORDED: Mapping[str, Recorded] = {"lua-fleet.random": random, "lua-fleet.terminate": terminate}
"""By activity type; each takes and returns serialized payloads. No entry can have such an id: it lacks a ``:``."""
