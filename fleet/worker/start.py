"""Starting a run of a workflow entry from the command line, with the entry's own options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue

from fleet.modules import RequestFailed
from fleet.process.workflow_clients import with_headers
from fleet.process.workflow_options import REUSE_POLICIES, entry_options
from fleet.process.workflow_start import Start, start_workflow
from fleet.registry import App, WorkflowEntry


async def start_run(
    client: Client, app: App, entry: WorkflowEntry, arguments: Sequence[Payload], *, workflow_id: str = ""
) -> WorkflowHandle[Any, RawValue]:
    """Start `entry` on the task queue of its worker.

    arguments: one payload per Lua argument. workflow_id: in place of the entry's own; generated when neither is given.
    A workflow that has the id already is an error, unless the entry's options say otherwise: whoever starts a run by
    hand wants to see that one. Returns a handle whose result is a RawValue. Raises RequestFailed.
    """
    assert entry.worker is not None, "the caller has seen to it that a worker is named"
    worker = app.workers[entry.worker]
    options = entry_options(entry)
    if "id_conflict_policy" not in options and options.get("id_reuse_policy") != REUSE_POLICIES["terminate_if_running"]:
        options.setdefault("execution_error_when_already_started", True)
    if workflow_id:
        options["id"] = workflow_id
    start = Start(
        type=entry.type_name,
        task_queue=worker.task_queue,
        arguments=[payload.SerializeToString() for payload in arguments],
        options=options,
    )
    try:
        return await start_workflow(
            with_headers(client, options.get("namespace", "")), start, app.clients[worker.client].search_attributes
        )
    except RequestFailed as error:
        if error.error.kind != "ALREADY_EXISTS":
            raise
        hint = "choose another --id, or leave it out to get a generated one"
        raise RequestFailed("ALREADY_EXISTS", f"{error}\n    {hint}") from None
