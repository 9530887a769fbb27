"""A loaded application."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from .documents import Draft
from .env import EnvRegistry
from .kinds.entry import Entry
from .kinds.env import VariableEntry
from .kinds.http import HttpEndpointEntry, HttpRouterEntry, HttpServiceEntry
from .kinds.lua import CallableEntry, FunctionEntry, LibraryEntry, ProcessEntry, WorkflowEntry
from .kinds.temporal import ClientEntry, WorkerEntry
from .nodes import Node
from .problems import Problem

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class App:
    """A valid application: every reference in it leads to an entry of the right kind.

    Attributes:
        root: its directory, absolute.
        entries: all entries by id, sorted by file and position.
        env: its variables.
        content_hash: sha256 (hex) over everything that is written in it: the data of its entries and the content of
            the files that they include. The same on every machine: values from the environment are not part of it,
            their placeholders are; neither are comments and the order of keys.
        warnings: findings that did not stop it from loading, by file and line.
    """

    root: Path
    entries: dict[str, Entry]
    env: EnvRegistry
    content_hash: str
    warnings: list[Problem]

    @cached_property
    def workflows(self) -> dict[str, WorkflowEntry]:
        """The workflow.lua entries by id."""
        return self._of(WorkflowEntry)

    @cached_property
    def functions(self) -> dict[str, FunctionEntry]:
        """The function.lua entries by id."""
        return self._of(FunctionEntry)

    @cached_property
    def processes(self) -> dict[str, ProcessEntry]:
        """The process.lua entries by id."""
        return self._of(ProcessEntry)

    @cached_property
    def libraries(self) -> dict[str, LibraryEntry]:
        """The library.lua entries by id."""
        return self._of(LibraryEntry)

    @cached_property
    def clients(self) -> dict[str, ClientEntry]:
        """The temporal.client entries by id."""
        return self._of(ClientEntry)

    @cached_property
    def workers(self) -> dict[str, WorkerEntry]:
        """The temporal.worker entries by id."""
        return self._of(WorkerEntry)

    @cached_property
    def variables(self) -> dict[str, VariableEntry]:
        """The env.variable entries by id."""
        return self._of(VariableEntry)

    @cached_property
    def http_services(self) -> dict[str, HttpServiceEntry]:
        """The http.service entries by id."""
        return self._of(HttpServiceEntry)

    @cached_property
    def http_routers(self) -> dict[str, HttpRouterEntry]:
        """The http.router entries by id."""
        return self._of(HttpRouterEntry)

    @cached_property
    def http_endpoints(self) -> dict[str, HttpEndpointEntry]:
        """The http.endpoint entries by id."""
        return self._of(HttpEndpointEntry)

    def entries_of(self, kind: str) -> list[Entry]:
        """The entries of a kind such as ``http.service``, in order."""
        return [entry for entry in self.entries.values() if entry.kind == kind]

    def workflows_of(self, worker_id: str) -> list[WorkflowEntry]:
        """The workflows that a temporal.worker serves."""
        return [entry for entry in self.workflows.values() if entry.worker == worker_id]

    def activities_of(self, worker_id: str) -> list[CallableEntry]:
        """The functions and processes that a temporal.worker serves as activities."""
        return [entry for entry in self._of(CallableEntry).values() if entry.activity_worker == worker_id]

    def workflow_type(self, entry_id: str) -> str:
        """The Temporal workflow type of a workflow entry. KeyError when there is no such workflow."""
        return self.workflows[entry_id].type_name

    def _of(self, cls: type[E]) -> dict[str, E]:
        return {id: entry for id, entry in self.entries.items() if isinstance(entry, cls)}


def content_hash(drafts: Iterable[Draft]) -> str:
    """The sha256 (hex) over drafts with their files included and their placeholders not filled in."""
    digest = hashlib.sha256()
    for draft in sorted(drafts, key=lambda draft: draft.id):
        source = draft.body.get("source")
        # Code inside YAML reports lines of the YAML file, and compiled code holds them.
        line = source.text_line if source is not None and not source.included else 0
        facts = [draft.id, draft.kind, line, _facts(draft.body)]
        digest.update(json.dumps(facts, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def _facts(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _facts(below) for key, below in node.value.items()}
    if isinstance(node.value, list):
        return [_facts(below) for below in node.value]
    return ["file", node.included, node.value] if node.included else node.value
