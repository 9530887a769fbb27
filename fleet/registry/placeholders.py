"""``file://…`` and ``${env:…}`` in values (spec/registry.md, section 1).

Files come in first, and placeholders are looked for only in what stands in the YAML itself: neither in the content of
an included file nor in ``source``, so that the Lua code of an application is the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from .nodes import Node
from .problems import Report
from .schema import Mismatch, Scope
from .tree import FileProblem, SourceTree
from .yamlfile import parse_scalar

_PLACEHOLDER = re.compile(
    r"(?P<escaped>\$\$\{)"
    r"|\$\{env:(?P<name>[^{}|]*)(?:\|(?P<default>[^{}]*))?\}"
    r"|\$\{(?P<short>[A-Z][A-Z0-9_]*)\|(?P<fallback>[^{}]*)\}"
    r"|(?P<open>\$\{env:)"
    r"|\$\{(?P<bare>[A-Z][A-Z0-9_]*)\}"
)


def include_files(node: Node, file: str, entry: str, tree: SourceTree, report: Report) -> Node:
    """Replaces every ``file://`` string below ``node`` by the content of that file.

    Args:
        file: the file that ``node`` stands in; relative paths start at its directory.
        entry: id for the messages.
    """

    def include(scalar: Node, field: str) -> Node:
        if not isinstance(scalar.value, str) or not scalar.value.startswith("file://"):
            return scalar
        try:
            path = tree.resolve(scalar.value, file)
            text = tree.read(path)
        except FileProblem as problem:
            hint = "paths start at the directory of the YAML file, with file:/// at the application's directory"
            report.error(
                str(problem), file=file, line=scalar.line, entry=entry, field=field, value=scalar.shown(), hint=hint
            )
            return replace(scalar, broken=True)
        return Node(text, scalar.line, text, 1, included=path)

    return _map_scalars(node, include, "")


def fill_in(body: Node, scope: Scope) -> Node:
    """Replaces the placeholders in an entry's body by the values of ``scope.variable``.

    A value that is one placeholder and nothing else gets the type that the text has in YAML; others stay strings.
    """

    def fill(scalar: Node, field: str) -> Node:
        if field == "source" or scalar.included or not isinstance(scalar.value, str) or "${" not in scalar.value:
            return scalar
        return _fill(scalar, scope.at(field))

    return _map_scalars(body, fill, "")


def _fill(scalar: Node, scope: Scope) -> Node:
    assert isinstance(scalar.value, str)
    written = scalar.value
    broken = False
    taken: list[str] = []

    def value_of(match: re.Match[str]) -> str:
        nonlocal broken
        if match["escaped"]:
            return "${"
        if match["bare"]:
            hint = f"write ${{env:{match['bare']}}} for the variable, $${{{match['bare']}}} for the text itself"
            scope.warning(f"{match[0]} is no placeholder and stays as it is", scalar.line, hint=hint)
            return match[0]
        taken.append(match[0])
        name = (match["name"] or match["short"] or "").strip()
        if not name:
            form = "${env:NAME} or ${env:NAME|default}"
            scope.error("is not a placeholder", scalar.line, value=scalar.shown(), expected=form)
            broken = True
            return ""
        default = match["default"] if match["short"] is None else match["fallback"]
        try:
            text = scope.variable(name) or default
        except Mismatch as problem:
            scope.mismatch(problem, scalar)
            broken = True
            return ""
        if text is None:
            hint = f"set {name}, or write ${{env:{name}|default}}"
            scope.error(f"environment variable {name} is not set and has no default", scalar.line, hint=hint)
            broken = True
        return text or ""

    text = _PLACEHOLDER.sub(value_of, written)
    if broken:
        return replace(scalar, broken=True)
    if not taken:
        return replace(scalar, value=text, text=text)
    whole = len(taken) == 1 and taken[0] == written
    value = parse_scalar(text) if whole else text
    if value is None and text:
        value = text  # only numbers and booleans get a type: a password may be "null"
    return replace(scalar, value=value, text=text, placeholder=" and ".join(taken))


def _map_scalars(node: Node, change: Callable[[Node, str], Node], field: str) -> Node:
    if isinstance(node.value, dict):
        inside = {key: _map_scalars(below, change, _below(field, key)) for key, below in node.value.items()}
        return replace(node, value=inside)
    if isinstance(node.value, list):
        items = [_map_scalars(below, change, _below(field, str(index))) for index, below in enumerate(node.value)]
        return replace(node, value=items)
    return change(node, field)


def _below(field: str, key: str) -> str:
    return f"{field}.{key}" if field else key
