"""The kinds of processes outside Temporal: process.host and process.service (spec/registry.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..nodes import Node
from ..schema import Mismatch, Scope, record, setting
from ..types import Anything, EntryId, Integer, ListOf, Record
from .entry import ServiceEntry

_RESERVED_HOST = "node:control"


@record
class HostOptions:
    """Sizes of a process host; ``workers`` None is one for each CPU."""

    workers: int | None = setting(Integer(minimum=0), default=None)
    queue_size: int = setting(Integer(minimum=0), default=1024)
    local_queue_size: int = setting(Integer(minimum=0), default=256)


@record
class ProcessHostEntry(ServiceEntry):
    """A place where processes are spawned."""

    host: HostOptions = setting(Record(HostOptions), default=HostOptions())


@dataclass(frozen=True)
class HostId:
    """A process.host, or a temporal.worker for workflows; always a full id."""

    def decode(self, node: Node, scope: Scope) -> str:
        if node.value == _RESERVED_HOST:
            raise Mismatch(
                f"{_RESERVED_HOST} is reserved for the runtime", expected="a process.host or temporal.worker"
            )
        return EntryId(("process.host", "temporal.worker"), relative=False).decode(node, scope)


@record
class ProcessServiceEntry(ServiceEntry):
    """A process that is started with the application and restarted when it fails.

    Attributes:
        process: id of a process.lua, or of a workflow.lua when ``host`` is a temporal.worker.
        host: id of a process.host or temporal.worker.
        input: its arguments.
    """

    process: str = setting(EntryId(("process.lua", "workflow.lua")), required="process is required")
    host: str = setting(HostId(), required="host is required")
    input: tuple[Any, ...] = setting(ListOf(Anything()), default=())

    @property
    def requires(self) -> tuple[str, ...]:
        """Ids of what must be started before it; its host always is."""
        return tuple(dict.fromkeys((self.host, *self.lifecycle.dependencies)))
