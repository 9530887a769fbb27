"""Histories from a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from temporalio.client import Client, WorkflowHistory


async def fetch_histories(
    client: Client, workflow_ids: Sequence[str], query: str | None
) -> AsyncIterator[WorkflowHistory]:
    """The histories of the latest runs of `workflow_ids`, then of all runs that a visibility query finds.

    Raises temporalio.service.RPCError: no such workflow, or the query is wrong.
    """
    for id in workflow_ids:
        yield await client.get_workflow_handle(id).fetch_history()
    if query is not None:
        async for found in client.list_workflows(query):
            yield await client.get_workflow_handle(found.id, run_id=found.run_id).fetch_history()
