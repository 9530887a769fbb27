"""What every entry has, and what services add to it: the ``lifecycle`` block (spec/registry.md, sections 1 and 6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from ..schema import Flaw, record, setting
from ..types import Anything, Bool, Choice, Duration, EntryId, Integer, ListOf, Number, Record, Text


@record
class Entry:
    """An entry of an application.

    Attributes:
        id: ``namespace:name``.
        kind: such as ``workflow.lua``.
        meta: the entry's ``meta`` as plain data, the file's merged under it.
        file: the file it stands in, relative to the application's root.
        line: 1-based line where it begins.
    """

    id: str
    kind: str
    meta: dict[str, Any]
    file: str
    line: int


@record
class RestartPolicy:
    """How a failed service is started again; delays grow by ``backoff_factor``, ``max_attempts`` 0 is no limit."""

    initial_delay: timedelta = setting(Duration(), default=timedelta(seconds=1))
    max_delay: timedelta = setting(Duration(), default=timedelta(seconds=90))
    backoff_factor: float = setting(Number(minimum=1), default=2.0)
    jitter: float = setting(Number(minimum=0), default=0.1)
    max_attempts: int = setting(Integer(minimum=0), default=0)


@record
class Actor:
    """Who a service acts as."""

    id: str = setting(Text(), default="")
    meta: dict[str, Any] = setting(Anything(), default_factory=dict)


@record
class Security:
    """The identity that a service runs under."""

    actor: Actor = setting(Record(Actor), default=Actor())
    groups: tuple[str, ...] = setting(ListOf(Text()), default=())
    policies: tuple[str, ...] = setting(ListOf(Text()), default=())


@record
class Lifecycle:
    """When a service starts, what it waits for, how it is kept alive.

    ``requires`` and its alias ``depends_on`` are merged by ``dependencies``; these start first and stop last.
    """

    auto_start: bool = setting(Bool(), default=False)
    start_timeout: timedelta = setting(Duration(), default=timedelta(seconds=10))
    stop_timeout: timedelta = setting(Duration(), default=timedelta(seconds=10))
    stable_threshold: timedelta = setting(Duration(), default=timedelta(seconds=5))
    requires: tuple[str, ...] = setting(ListOf(EntryId()), default=())
    depends_on: tuple[str, ...] = setting(ListOf(EntryId()), default=())
    startup: str = setting(Choice(("required", "optional")), default="required")
    security: Security = setting(Record(Security), default=Security())
    restart: RestartPolicy = setting(Record(RestartPolicy), default=RestartPolicy())

    def flaws(self) -> Iterator[Flaw]:
        if self.security != Security():
            message = "has no effect: services do not run under an identity here"
            yield Flaw("security", message, severity="warning")

    @property
    def dependencies(self) -> tuple[str, ...]:
        """Ids of ``requires`` and ``depends_on``, each once, in order."""
        return tuple(dict.fromkeys(self.requires + self.depends_on))


@record
class ServiceEntry(Entry):
    """An entry that is started and stopped."""

    lifecycle: Lifecycle = setting(Record(Lifecycle), default=Lifecycle())

    @property
    def requires(self) -> tuple[str, ...]:
        """Ids of what must be started before it."""
        return self.lifecycle.dependencies
