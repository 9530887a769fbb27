"""Starting a workflow from outside, with its startup messages (spec/workflows.md, section 3; decisions 20 to 24)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from fleet.modules import RequestFailed

from .workflow_clients import headers
from .workflow_errors import refused
from .workflow_options import policies, start_arguments

RPC_TIMEOUT = timedelta(seconds=30)
"""How long a request may take. The SDK repeats it under one request id, so that no message comes twice."""

BATCH_SIGNAL = "lua-fleet.messages"
"""The signal that delivers several startup messages at once."""

BATCH_HEADER = "lua-fleet-messages"
"""The start header with startup messages, where Temporal has no signal-with-start."""

FROM_HEADER = "lua-fleet-from"
"""The header with the sender's PID."""


@dataclass(frozen=True)
class Messages:
    """Startup messages, serialized (lua_modules/message_batch.lua).

    Attributes:
        topic: of the first.
        count: how many.
        batch: the manifest, then the payloads of all of them in order.
        sender: the payload with the sender's PID, None when there is none.
    """

    topic: str
    count: int
    batch: Sequence[bytes]
    sender: bytes | None = None


@dataclass(frozen=True)
class Start:
    """What to start.

    Attributes:
        type: Temporal workflow type.
        task_queue: where a worker polls for it; the option task_queue wins.
        arguments: one serialized payload per argument.
        name: the workflow id, unless the option id gives one; "" for a generated one.
        options: in the one form of workflow_options.py.
        headers: serialized payloads by name.
        messages: startup messages, None for none.
    """

    type: str
    task_queue: str
    arguments: Sequence[bytes] = ()
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, bytes] = field(default_factory=dict)
    messages: Messages | None = None


async def start_workflow(
    client: Client, start: Start, attribute_types: Mapping[str, str]
) -> WorkflowHandle[Any, RawValue]:
    """Start a workflow, or use the one that runs under its id, as its options say.

    client: of the workflow's namespace, made by `with_headers`. attribute_types: the declared search attributes.
    Returns a handle with `result_run_id`. Raises RequestFailed: ALREADY_EXISTS, INVALID, NOT_FOUND, UNAVAILABLE, ...
    """
    options = start.options
    id = options.get("id") or start.name
    rules = policies(options, named=bool(id))
    id = id or f"{start.type}-{uuid.uuid4()}"
    arguments = start_arguments(options, attribute_types)
    fields = dict(start.headers)
    if start.messages is not None:
        if start.messages.sender is not None:
            fields[FROM_HEADER] = start.messages.sender
        if rules.conflict == WorkflowIDConflictPolicy.FAIL:
            # The server has no signal-with-start that fails; a new run finds its messages in the header.
            fields.update(_batch_header(start.messages))
        else:
            arguments.update(_start_signal(start.messages))
    what = f"cannot start {start.type} as {id}"
    try:
        with headers(fields):
            return await client.start_workflow(
                start.type,
                args=[_value(payload) for payload in start.arguments],
                id=id,
                task_queue=options.get("task_queue") or start.task_queue,
                result_type=RawValue,
                id_conflict_policy=rules.conflict,
                id_reuse_policy=rules.reuse,
                rpc_timeout=RPC_TIMEOUT,
                **arguments,
            )
    except WorkflowAlreadyStartedError as error:
        text = f"cannot start {start.type}: a workflow with the id {id} already exists (run {error.run_id})"
        raise RequestFailed("ALREADY_EXISTS", text, details={"run_id": error.run_id or ""}) from None
    except RPCError as error:
        raise refused(error, what) from None


def _start_signal(messages: Messages) -> dict[str, Any]:
    if messages.count == 1:
        return {"start_signal": messages.topic, "start_signal_args": [_value(item) for item in messages.batch[1:]]}
    return {"start_signal": BATCH_SIGNAL, "start_signal_args": [_value(item) for item in messages.batch]}


def _batch_header(messages: Messages) -> dict[str, bytes]:
    manifest, *items = messages.batch
    return {BATCH_HEADER: manifest, **{f"{BATCH_HEADER}-{index}": item for index, item in enumerate(items, 1)}}


def _value(payload: bytes) -> RawValue:
    return RawValue(Payload.FromString(payload))
