"""Services: which wait for which, workers that would take each other's tasks, hosts that fit their process."""

from __future__ import annotations

from itertools import pairwise

from ..catalog import Catalog, place
from ..kinds.entry import ServiceEntry
from ..kinds.lua import WorkflowEntry
from ..kinds.process import ProcessServiceEntry
from ..kinds.temporal import WorkerEntry
from .graph import cycles, show_cycle


def check(catalog: Catalog) -> None:
    """Reports circles of ``requires``, overlapping workers (spec/decisions.md, 36), and processes on wrong hosts."""
    _dependency_cycles(catalog)
    _overlapping_workers(catalog)
    for service in catalog.of(ProcessServiceEntry):
        _host(service, catalog)


def _dependency_cycles(catalog: Catalog) -> None:
    services = {service.id: service for service in catalog.of(ServiceEntry)}
    for cycle in cycles({id: service.requires for id, service in services.items()}):
        # Only what the lifecycle says can be changed: a worker needs its client, whatever it says.
        steps = pairwise(cycle)
        blamed = next((id for id, below in steps if below in services[id].lifecycle.dependencies), cycle[0])
        catalog.error(
            services[blamed],
            "lifecycle",
            f"services wait for each other in a circle: {show_cycle(cycle)}",
            show=False,
            hint="remove one of these from requires or depends_on",
        )


def _overlapping_workers(catalog: Catalog) -> None:
    taken: dict[tuple[str, str], WorkerEntry] = {}
    for worker in catalog.of(WorkerEntry):
        first = taken.setdefault((worker.client, worker.task_queue), worker)
        if first is not worker:
            catalog.error(
                worker,
                "task_queue",
                f"task queue {worker.task_queue} of client {worker.client} has a worker already: {place(first)}",
                show=False,
                hint="give it another queue, or let its workflows and activities name that worker",
            )


def _host(service: ProcessServiceEntry, catalog: Catalog) -> None:
    host = catalog.kinds.get(service.host)
    process = catalog.kinds.get(service.process)
    if process == "workflow.lua" and host == "process.host":
        hint = "write the id of the temporal.worker that serves it"
        catalog.error(service, "host", f"{service.process} is a workflow, which runs on a temporal.worker", hint=hint)
    if process == "process.lua" and host == "temporal.worker":
        hint = "write the id of a process.host"
        catalog.error(service, "host", f"{service.process} is a process, which runs on a process.host", hint=hint)
    workflow = catalog.get(WorkflowEntry, service.process)
    if workflow is not None and host == "temporal.worker" and workflow.worker not in (None, service.host):
        catalog.error(service, "host", f"{workflow.id} is served by another worker", expected=str(workflow.worker))
