"""Every kind of entry, and the class that describes its fields."""

from __future__ import annotations

from .entry import Entry
from .env import (
    FileStorageEntry,
    MemoryStorageEntry,
    OsStorageEntry,
    RouterStorageEntry,
    StaticStorageEntry,
    VariableEntry,
)
from .http import HttpEndpointEntry, HttpRouterEntry, HttpServiceEntry
from .lua import FunctionEntry, LibraryEntry, ProcessEntry, WorkflowEntry
from .process import ProcessHostEntry, ProcessServiceEntry
from .temporal import ClientEntry, WorkerEntry

KINDS: dict[str, type[Entry]] = {
    "workflow.lua": WorkflowEntry,
    "function.lua": FunctionEntry,
    "process.lua": ProcessEntry,
    "library.lua": LibraryEntry,
    "temporal.client": ClientEntry,
    "temporal.worker": WorkerEntry,
    "process.host": ProcessHostEntry,
    "process.service": ProcessServiceEntry,
    "http.service": HttpServiceEntry,
    "http.router": HttpRouterEntry,
    "http.endpoint": HttpEndpointEntry,
    "env.storage.memory": MemoryStorageEntry,
    "env.storage.file": FileStorageEntry,
    "env.storage.os": OsStorageEntry,
    "env.storage.static": StaticStorageEntry,
    "env.storage.router": RouterStorageEntry,
    "env.variable": VariableEntry,
}
