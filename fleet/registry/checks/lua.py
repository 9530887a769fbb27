"""Imports of libraries, modules that reach workflows through them, and workflow types."""

from __future__ import annotations

from collections.abc import Iterator

from ..catalog import Catalog, place
from ..kinds.lua import LibraryEntry, LuaEntry, WorkflowEntry
from ..modules import refusal
from .graph import cycles, show_cycle


def check(catalog: Catalog) -> None:
    """Reports import cycles, I/O behind a workflow's imports (spec/decisions.md, 13), and types claimed twice."""
    _import_cycles(catalog)
    for workflow in catalog.of(WorkflowEntry):
        _modules_of_imports(workflow, catalog)
    _workflow_types(catalog)


def _import_cycles(catalog: Catalog) -> None:
    libraries = {library.id: library for library in catalog.of(LibraryEntry)}
    edges = {id: library.imports.values() for id, library in libraries.items()}
    for cycle in cycles(edges):
        last = libraries[cycle[-2]]
        alias = next(alias for alias, target in last.imports.items() if target == cycle[-1])
        catalog.error(
            last,
            f"imports.{alias}",
            f"libraries import each other in a circle: {show_cycle(cycle)}",
            show=False,
            hint="move what both need into a library that imports neither",
        )


def _modules_of_imports(workflow: WorkflowEntry, catalog: Catalog) -> None:
    for alias, chain in _reachable(workflow, catalog):
        for module in chain[-1].modules:
            reason = refusal(module)
            if reason:
                way = show_cycle([entry.id for entry in chain])
                catalog.error(
                    workflow,
                    f"imports.{alias}",
                    f"library {chain[-1].id} lists module {module}, which cannot be used in a workflow: {reason}",
                    show=False,
                    hint=f"imported as {way}; put what uses {module} into a function and call it with funcs.call",
                )


def _reachable(workflow: WorkflowEntry, catalog: Catalog) -> Iterator[tuple[str, list[LuaEntry]]]:
    """Each library behind the imports of a workflow once: the workflow's alias, and the chain of entries to it."""
    seen: set[str] = set()
    todo = [(alias, [workflow, id]) for alias, id in reversed(workflow.imports.items())]
    while todo:
        alias, (*before, id) = todo.pop()
        library = catalog.get(LibraryEntry, str(id))
        if library is None or library.id in seen:
            continue
        seen.add(library.id)
        chain: list[LuaEntry] = [entry for entry in before if isinstance(entry, LuaEntry)] + [library]
        yield alias, chain
        todo.extend((alias, [*chain, below]) for below in reversed(library.imports.values()))


def _workflow_types(catalog: Catalog) -> None:
    taken: dict[tuple[str, str], WorkflowEntry] = {}
    for workflow in catalog.of(WorkflowEntry):
        if workflow.worker is None:
            continue
        first = taken.setdefault((workflow.worker, workflow.type_name), workflow)
        if first is not workflow:
            catalog.error(
                workflow,
                "meta.temporal.workflow.name",
                f"worker {workflow.worker} serves the workflow type {workflow.type_name} already: {place(first)}",
                hint="give one of them another name",
            )
