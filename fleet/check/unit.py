"""One Lua entry under inspection: its tree, what it may use, and where its lines stand in the application."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from fleet.check import nodes
from fleet.check.api import ALWAYS_MODULES, BASE_GLOBALS
from fleet.check.nodes import Chunk, Node
from fleet.registry import App, LuaEntry, Problem, WorkflowEntry

AnyNode = TypeVar("AnyNode", bound=Node)


@dataclass(eq=False)
class Unit:
    """An entry with its parsed chunk.

    Attributes:
        app: the application, for the ids of other entries.
        entry: the entry whose source this is.
        chunk: its syntax tree.
        used_by: entries whose code runs this one: the entry itself, or for a library those that import it,
            directly or through other libraries.
    """

    app: App
    entry: LuaEntry
    chunk: Chunk
    used_by: tuple[LuaEntry, ...]

    @cached_property
    def workflows(self) -> tuple[WorkflowEntry, ...]:
        """The workflows in which this code runs."""
        return tuple(entry for entry in self.used_by if isinstance(entry, WorkflowEntry))

    @property
    def is_workflow(self) -> bool:
        """Whether the entry itself is a workflow."""
        return isinstance(self.entry, WorkflowEntry)

    @cached_property
    def requirable(self) -> frozenset[str]:
        """What `require` finds here."""
        return ALWAYS_MODULES | frozenset(self.entry.modules) | frozenset(self.entry.imports)

    @cached_property
    def known_globals(self) -> frozenset[str]:
        """Globals that exist before the chunk runs; those that libraries assign stay in their own environments."""
        return BASE_GLOBALS | self.requirable

    @cached_property
    def assigned_globals(self) -> frozenset[str]:
        """Globals that the chunk itself assigns, anywhere; `_G.name = …` counts."""
        names = {use.node.name for use in self.chunk.globals if use.action == "write"}
        for target in self.assigned_fields:
            if isinstance(target.object, nodes.Name) and target.object.local is None and target.object.name == "_G":
                names.add(target.key.value if isinstance(target.key, nodes.String) else "")
        return frozenset(names)

    @cached_property
    def assigned_fields(self) -> tuple[nodes.Index, ...]:
        """The `object.key` of every assignment and function statement that has one as its target."""
        found: list[nodes.Index] = []
        for statement in self.nodes(nodes.Assignment):
            found += [target for target in statement.targets if isinstance(target, nodes.Index)]
        for function in self.nodes(nodes.FunctionStatement):
            if isinstance(function.target, nodes.Index):
                found.append(function.target)
        return tuple(found)

    @cached_property
    def _by_type(self) -> dict[type[Node], list[Node]]:
        table: dict[type[Node], list[Node]] = {}
        for node in nodes.walk(self.chunk):
            table.setdefault(type(node), []).append(node)
        return table

    def nodes(self, kind: type[AnyNode]) -> list[AnyNode]:
        """All nodes of exactly this class, in source order."""
        return self._by_type.get(kind, [])  # type: ignore[return-value]  # the key is the class of the values

    @cached_property
    def probed(self) -> frozenset[Node]:
        """Expressions that are only asked for being there: `x or y`, `not x`, `x == nil`, `type(x)`, `if x then`."""
        found: set[Node] = set()
        for binary in self.nodes(nodes.Binary):
            compares = binary.operator in ("==", "~=") and isinstance(binary.right, nodes.Nil)
            if compares or binary.operator in ("or", "and"):
                found.add(binary.left)
        found.update(unary.operand for unary in self.nodes(nodes.Unary) if unary.operator == "not")
        found.update(branch.condition for branch in self.nodes(nodes.Branch) if branch.condition is not None)
        for call in self.nodes(nodes.Call):
            function = call.function
            if isinstance(function, nodes.Name) and function.name == "type" and function.local is None:
                found.update(call.arguments[:1])
        return frozenset(found)

    def line(self, node: Node) -> int:
        """The line of a node in the file that the source comes from."""
        return self.entry.source.line + node.line - 1

    def error(self, node: Node, message: str, hint: str = "", field: str = "") -> Problem:
        """An error at a node."""
        return self._problem("error", node, message, hint, field)

    def warning(self, node: Node, message: str, hint: str = "", field: str = "") -> Problem:
        """A warning at a node."""
        return self._problem("warning", node, message, hint, field)

    def _problem(self, severity: str, node: Node, message: str, hint: str, field: str) -> Problem:
        return Problem(
            severity="error" if severity == "error" else "warning",
            message=message,
            file=self.entry.source.file,
            line=self.line(node),
            entry=self.entry.id,
            field=field,
            hint=hint,
        )

    def also_at(self, places: list[Node]) -> str:
        """Text that names the further lines of a finding that is told once, or ""."""
        lines = sorted({self.line(node) for node in places[1:]} - {self.line(places[0])})
        return f"also at line {', '.join(map(str, lines[:8]))}" + (", …" if len(lines) > 8 else "") if lines else ""


def outside_functions(chunk: Chunk) -> Iterator[Node]:
    """The nodes that run when the chunk itself does, without the bodies of functions."""
    stack: list[Node] = [chunk]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, nodes.Function):
            continue
        for name in reversed(node.children):
            child = getattr(node, name)
            stack.extend(reversed(child) if isinstance(child, list) else [] if child is None else [child])
