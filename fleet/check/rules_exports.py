"""What a chunk returns: the entry's method, members of imported libraries; and definitions that hide others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fleet.check import nodes
from fleet.check.api import BLOCKING
from fleet.check.nodes import Expression
from fleet.check.unit import Unit, outside_functions
from fleet.check.values import Library, Values
from fleet.registry import LibraryEntry, Problem
from fleet.registry.problems import nearest

_NO_FUNCTIONS = (nodes.String, nodes.Number, nodes.Boolean, nodes.Nil, nodes.Table)


@dataclass(frozen=True)
class Exports:
    """The table that a chunk returns: its members, and whether there may be more than these.

    `computed` says that some keys are only known at run time, `shared` that other code gets the table too.
    """

    place: nodes.Return
    members: dict[str, Expression]
    computed: bool
    shared: bool


def exports_of(unit: Unit, values: Values) -> Exports | nodes.Return | None:
    """What the chunk returns: its table, the `return` if that gives something else, None if it returns nothing."""
    last = unit.chunk.body[-1] if unit.chunk.body else None
    if not isinstance(last, nodes.Return) or not last.values:
        return None
    returned = last.values[0]
    table = values.literal(returned)
    if not isinstance(table, nodes.Table):
        return last
    members: dict[str, Expression] = {}
    computed = shared = False
    for item in table.fields:
        key = values.text(item.key)
        if key is not None:
            members[key] = item.value
        computed = computed or (key is None and item.key is not None)
    if isinstance(returned, nodes.Name) and returned.local is not None:
        targets = [target for target in unit.assigned_fields if values.literal(target.object) is table]
        for target in targets:
            key = values.text(target.key)
            if key is None:
                computed = True
            else:
                members.setdefault(key, target)
        # Read for more than `M.x` and the return: it may be filled elsewhere.
        indexed = [index for index in unit.nodes(nodes.Index) if values.literal(index.object) is table]
        shared = returned.local.reads > len(indexed) + 1
    return Exports(last, members, computed, shared)


def method_exists(unit: Unit, values: Values) -> Iterator[Problem]:
    """The entry's method must be in the table that the chunk returns."""
    found = exports_of(unit, values)
    is_library = isinstance(unit.entry, LibraryEntry)
    method = unit.entry.method
    if found is None:
        if any(isinstance(node, nodes.Return) for node in outside_functions(unit.chunk)):
            return  # returns from inside an if or do block
        end = unit.chunk.body[-1] if unit.chunk.body else unit.chunk
        if is_library:
            yield unit.warning(end, "the library returns nothing", "end it with a 'return' of its table of functions")
        else:
            hint = f"end it with 'return {{ {method} = {method} }}'"
            yield unit.error(end, "the chunk returns nothing, so there is nothing to run", hint, "method")
    elif is_library:
        return
    elif isinstance(found, nodes.Return):
        literal = values.literal(found.values[0])
        if isinstance(literal, _NO_FUNCTIONS):
            hint = f"return {{ {method} = … }}"
            yield unit.error(found, "the chunk must return a function, or a table of functions", hint, "method")
    elif method not in found.members:
        if found.computed:
            return
        report = unit.warning if found.shared else unit.error
        guess = nearest(method, found.members)
        known = f"it has: {', '.join(found.members)}" if found.members else "it is empty"
        hint = f"did you mean '{guess}'?" if guess else f"{known}; add '{method} = …' or change 'method:'"
        yield report(found.place, f"method '{method}' not found in what the chunk returns", hint, "method")
    elif isinstance(values.literal(found.members[method]), _NO_FUNCTIONS):
        yield unit.error(found.members[method], f"method '{method}' is not a function", "", "method")


def library_members(
    unit: Unit, values: Values, exports: Callable[[str], Exports | nodes.Return | None]
) -> Iterator[Problem]:
    """Members of imported libraries that their chunk does not return; `exports` looks a library up by id."""
    for index in unit.nodes(nodes.Index):
        owner = values.value(index.object)
        if not isinstance(owner, Library) or not isinstance(index.key, nodes.String) or index in unit.probed:
            continue
        found = exports(owner.id)
        if not isinstance(found, Exports) or found.computed or found.shared:
            continue
        if index.key.value in found.members or index in unit.assigned_fields:
            continue
        guess = nearest(index.key.value, found.members)
        hint = f"did you mean '{guess}'?" if guess else f"it returns: {', '.join(found.members) or 'nothing'}"
        yield unit.warning(index.key, f"library '{owner.id}' has no '{index.key.value}'", hint)


def duplicate_keys(unit: Unit, values: Values) -> Iterator[Problem]:
    """Keys that a table constructor gives twice: the first value is lost."""
    for table in unit.nodes(nodes.Table):
        seen: dict[str, nodes.Field] = {}
        for item in table.fields:
            if not isinstance(item.key, nodes.String):
                continue
            earlier = seen.setdefault(item.key.value, item)
            if earlier is not item:
                yield unit.warning(
                    item, f"duplicate key '{item.key.value}'",
                    f"the value of line {unit.line(earlier)} is lost: remove one of the two",
                )  # fmt: skip


def duplicate_functions(unit: Unit, values: Values) -> Iterator[Problem]:
    """Functions that are defined twice under one name in one block or module: the first is lost."""
    yield from _duplicates_in(unit, unit.chunk.body)
    for node in unit.nodes(nodes.Function):
        yield from _duplicates_in(unit, node.body)


def _duplicates_in(unit: Unit, body: list[nodes.Statement]) -> Iterator[Problem]:
    seen: dict[str, nodes.Statement] = {}
    for statement in body:
        if isinstance(statement, nodes.LocalFunction):
            name = statement.variable.name
        elif isinstance(statement, nodes.FunctionStatement):
            name = _target_name(statement.target)
        else:
            continue
        earlier = seen.setdefault(name, statement)
        if name and earlier is not statement:
            seen[name] = statement
            yield unit.warning(
                statement, f"function '{name}' is defined twice",
                f"this one hides the one of line {unit.line(earlier)}: rename or remove one of the two",
            )  # fmt: skip


def _target_name(target: Expression) -> str:
    if isinstance(target, nodes.Name):
        return target.name
    if isinstance(target, nodes.Index) and isinstance(target.key, nodes.String):
        owner = _target_name(target.object)
        return f"{owner}.{target.key.value}" if owner else ""
    return ""


def blocking_body(unit: Unit, values: Values) -> Iterator[Problem]:
    """Calls that may wait in the body of the chunk, which runs once at load and cannot (registry.md section 2)."""
    method = unit.entry.method
    hint = f"move it into the function '{method}'" if method else "move it into a function"
    for node in outside_functions(unit.chunk):
        if not isinstance(node, nodes.Call | nodes.MethodCall):
            continue
        callee = values.callee(node)
        if callee is not None and (callee.type, callee.member) in BLOCKING:
            shown = callee.member if isinstance(node, nodes.MethodCall) else f"{callee.type}.{callee.member}"
            message = f"'{shown}' in the body of the chunk, which runs when the code is loaded and cannot wait"
            yield unit.error(node, message, hint)
