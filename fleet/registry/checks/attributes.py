"""Search attributes that entries start workflows with are declared on the client (spec/decisions.md, 35)."""

from __future__ import annotations

from ..call_options import split_option
from ..catalog import Catalog
from ..kinds.lua import WorkflowEntry
from ..kinds.temporal import ClientEntry, WorkerEntry
from ..problems import nearest


def check(catalog: Catalog) -> None:
    """Reports attributes in ``meta.options`` of workflows that their client does not declare."""
    for workflow in catalog.of(WorkflowEntry):
        worker = catalog.get(WorkerEntry, workflow.worker)
        client = catalog.get(ClientEntry, worker.client) if worker is not None else None
        if client is None:
            continue
        for key, value in workflow.options.items():
            if split_option(key) in (("workflow", "search_attributes"), ("workflow", "typed_search_attributes")):
                for name in sorted(set(value) - set(client.search_attributes)):
                    guess = nearest(name, client.search_attributes)
                    catalog.error(
                        workflow,
                        "meta",
                        f"{key}: search attribute {name} is not declared on {client.id}",
                        show=False,
                        hint=f"did you mean {guess}?" if guess else f"add it to search_attributes: of {client.id}",
                    )
