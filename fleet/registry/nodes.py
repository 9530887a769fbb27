"""The tree of values that an application file is read into: plain data, each with the line it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from .problems import show

Scalar: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value of an application file and where it comes from.

    Attributes:
        value: a scalar, a list of nodes, or a dict of nodes.
        line: 1-based line where a person looks for it: its key's line in a map, its own in a list.
        text: a scalar as it is written (``0644``, ``yes``), so that text fields take it unchanged.
        text_line: 1-based line on which the text of a scalar begins (for ``|`` blocks the line below the key).
        included: path of the file whose content this is (``file://…``), relative to the root, or "".
        placeholder: what stood in the file when the value was taken from the environment, or "".
        broken: a problem with it has been reported already; there is no value.
    """

    value: Scalar | list[Node] | dict[str, Node]
    line: int
    text: str = ""
    text_line: int = 0
    included: str = ""
    placeholder: str = ""
    broken: bool = False

    def get(self, path: str) -> Node | None:
        """The node at a dotted ``path`` below this one, or None."""
        node: Node | None = self
        for step in path.split("."):
            if node is None or not isinstance(node.value, dict):
                return None
            node = node.value.get(step)
        return node

    def line_of(self, path: str) -> int:
        """The line of the deepest node on the dotted ``path`` that is there."""
        node = self
        for step in path.split("."):
            below = node.value.get(step) if isinstance(node.value, dict) else None
            if below is None:
                break
            node = below
        return node.line

    def plain(self) -> Any:
        """The value as plain Python data."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def shown(self) -> str:
        """The value for a message: maps and lists only by shape, environment values only by their placeholder."""
        if self.placeholder:
            return f"the value of {self.placeholder}"
        if self.included:
            return f"the content of {self.included}"
        if isinstance(self.value, dict):
            return "a map"
        if isinstance(self.value, list):
            return "a list"
        return show(self.value)

    def at(self, line: int) -> Node:
        """The same node, said to stand on another line (an alias stands where it is used)."""
        return self if line == self.line else replace(self, line=line)

    def scalars(self) -> Iterator[Node]:
        """All scalar nodes below, this one included."""
        if isinstance(self.value, dict):
            for node in self.value.values():
                yield from node.scalars()
        elif isinstance(self.value, list):
            for node in self.value:
                yield from node.scalars()
        else:
            yield self
