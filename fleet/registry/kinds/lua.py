"""The Lua kinds: workflow.lua, function.lua, process.lua, library.lua (spec/registry.md, section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..call_options import CallOptions
from ..modules import ABSENT, MODULES, refusal
from ..nodes import Node
from ..problems import did_you_mean
from ..schema import Flaw, Mismatch, Scope, record, setting
from ..types import Bool, Choice, EntryId, Integer, ListOf, MapOf, Record, Text
from .entry import Entry

_WORKER = EntryId(("temporal.worker",))


@dataclass(frozen=True, slots=True)
class LuaSource:
    """Lua text and where it stands.

    Attributes:
        text: the Lua code.
        file: relative to the application's root; ``@file`` is its chunk name.
        line: 1-based line of ``file`` on which ``text`` begins: 1 for a file of its own, more for text inside YAML.
    """

    text: str
    file: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class ActivityBinding:
    """That an entry is a Temporal activity: of which ``temporal.worker``, and whether it runs as a local activity."""

    worker: str
    local: bool = False


@dataclass(frozen=True)
class LuaText:
    """Lua code, from a file or from the YAML itself."""

    def decode(self, node: Node, scope: Scope) -> LuaSource:
        if not isinstance(node.value, str):
            raise Mismatch("has the wrong type", expected="Lua text or file://path.lua")
        text = node.value
        if not node.included and text.strip().endswith(".lua") and len(text.split()) == 1:
            raise Mismatch("is a file name, not Lua text", hint=f"write file://{text.strip()}")
        if not text.strip():
            raise Mismatch("source is empty", hint="a chunk returns a function, or a table with the entry's method")
        return LuaSource(text, node.included or scope.file, 1 if node.included else node.text_line)


@dataclass(frozen=True)
class ModuleName:
    """The name of a host module."""

    def decode(self, node: Node, scope: Scope) -> str:
        name = Text().decode(node, scope)
        if not name:
            raise Mismatch("module cannot be empty")
        if ":" in name:
            raise Mismatch("module cannot have a namespace", hint="libraries of the application go into imports")
        reason = refusal(name) if scope.kind == "workflow.lua" else ""
        if reason:
            raise Mismatch(
                f"module {name} cannot be used in a workflow: {reason}",
                hint="call a function.lua entry that uses it, with funcs.call",
                shown="",
            )
        if name in ABSENT:
            raise Mismatch(f"module {name} of the reference runtime does not exist here", shown="")
        if name not in MODULES:
            raise Mismatch(f"unknown module {name}", hint=did_you_mean(name, MODULES), shown="")
        return name


@dataclass(frozen=True)
class Imports:
    """Aliases and the libraries they stand for."""

    def decode(self, node: Node, scope: Scope) -> dict[str, str]:
        if isinstance(node.value, dict):
            if "" in node.value:
                raise Mismatch("import alias cannot be empty", shown="")
            for alias, library in node.value.items():
                if library.value in (None, ""):
                    raise Mismatch(
                        f"import {alias}: name cannot be empty", expected="the full id of a library", shown=""
                    )
        libraries: dict[str, str] = MapOf(EntryId(("library.lua",), relative=False)).decode(node, scope)
        return libraries


@record
class Pool:
    """Throughput settings of the reference runtime; read and checked, without effect here."""

    type: str = setting(Choice(("", "inline", "lazy", "static", "adaptive")), default="")
    size: int = setting(Integer(), default=0)
    workers: int = setting(Integer(minimum=0), default=0)
    buffer: int = setting(Integer(minimum=0), default=0)
    warm_start: bool = setting(Bool(), default=False)
    max_size: int = setting(Integer(), default=100)

    def flaws(self) -> Iterator[Flaw]:
        if self.size < 0 or (self.type == "static" and self.size == self.workers == 0):
            yield Flaw("size", "pool.size must be greater than 0", show=True)
        if self.max_size <= 0:
            yield Flaw("max_size", "pool.max_size must be greater than 0", show=True)


@record
class LuaEntry(Entry):
    """An entry with Lua code.

    Attributes:
        source: the code.
        method: name of the function in the table that the chunk returns; "" for libraries.
        modules: host modules it may use.
        imports: alias -> id of the library.
    """

    source: LuaSource = setting(LuaText(), required="source is required")
    method: str = setting(Text(), default="main")
    modules: tuple[str, ...] = setting(ListOf(ModuleName()), default=())
    imports: dict[str, str] = setting(Imports(), default_factory=dict)

    def flaws(self) -> Iterator[Flaw]:
        for alias in self.imports.keys() & set(self.modules):
            hint = "give the import another alias"
            yield Flaw(f"imports.{alias}", f"hides the module {alias}", hint=hint, severity="warning")


@record
class WorkflowEntry(LuaEntry):
    """A Temporal workflow. Without ``worker`` nothing serves it."""

    worker: str | None = setting(_WORKER, default=None, path="meta.temporal.workflow.worker")
    custom_name: str = setting(Text(empty=False), default="", path="meta.temporal.workflow.name")
    options: dict[str, Any] = setting(CallOptions("workflow"), default_factory=dict, path="meta.options")

    @property
    def type_name(self) -> str:
        """The Temporal workflow type: ``meta.temporal.workflow.name``, else the entry id."""
        return self.custom_name or self.id

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        if self.worker is None:
            yield Flaw(
                "meta.temporal.workflow.worker",
                "no worker is named, so this workflow cannot be started",
                hint="add meta.temporal.workflow.worker with the id of a temporal.worker",
                severity="warning",
            )


@record
class CallableEntry(LuaEntry):
    """A function or process, which may be a Temporal activity as well."""

    activity_worker: str | None = setting(_WORKER, default=None, path="meta.temporal.activity.worker")
    activity_local: bool = setting(Bool(), default=False, path="meta.temporal.activity.local")
    options: dict[str, Any] = setting(CallOptions("activity"), default_factory=dict, path="meta.options")

    @property
    def activity(self) -> ActivityBinding | None:
        """How it is served as an activity, or None when it is not."""
        return ActivityBinding(self.activity_worker, self.activity_local) if self.activity_worker else None

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        temporal = self.meta.get("temporal")
        if self.activity_worker is None and isinstance(temporal, dict) and "activity" in temporal:
            yield Flaw(
                "meta.temporal.activity",
                "no worker is named, so this is not an activity",
                hint="add meta.temporal.activity.worker with the id of a temporal.worker",
                severity="warning",
            )


@record
class FunctionEntry(CallableEntry):
    """A function: called directly, as an activity, as an HTTP handler, or as a test (``meta.type: test``)."""

    method: str = setting(Text(empty=False), required="method is required")
    pool: Pool = setting(Record(Pool), default=Pool())


@record
class ProcessEntry(CallableEntry):
    """A long-lived process, spawned on a process.host, or run as an activity."""


@record
class LibraryEntry(LuaEntry):
    """Code that others import; what its chunk returns is the module."""

    method: str = ""
