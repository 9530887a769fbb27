"""Names: globals that nothing defines, globals that a chunk makes, and what the sandbox leaves out."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator

from fleet.check import nodes
from fleet.check.api import ABSENT, FORMER
from fleet.check.nodes import Name, Node
from fleet.check.scope import Block, GlobalUse
from fleet.check.unit import Unit
from fleet.check.values import Typed, Values
from fleet.registry import Problem
from fleet.registry.modules import MODULES, refusal


def undefined_globals(unit: Unit, values: Values) -> Iterator[Problem]:
    """Globals that are read although nothing defines them: they are nil."""
    defined = unit.known_globals | unit.assigned_globals
    uses: dict[str, list[GlobalUse]] = defaultdict(list)
    for use in unit.chunk.globals:
        if use.action == "read" and use.node.name not in defined:
            uses[use.node.name].append(use)
    for name, found in uses.items():
        if name in ABSENT:
            continue
        places: list[Node] = [use.node for use in found]
        hint = "; ".join(filter(None, (_undefined_hint(unit, found[0]), unit.also_at(places))))
        if all(node in unit.probed for node in places):
            yield unit.warning(places[0], f"global '{name}' is not defined, so it is always nil here", hint)
        else:
            yield unit.error(places[0], f"undefined global '{name}'", hint)


def _undefined_hint(unit: Unit, use: GlobalUse) -> str:
    name = use.node.name
    later = _later_local(use)
    if later is not None:
        declared, before = (unit.line(Node(line, 1)) for line in later)
        return f"'{name}' is declared local later, at line {declared}: move it up, above line {before}"
    for variable in unit.chunk.locals:
        if variable.name == name and (variable.line, variable.column) < (use.node.line, use.node.column):
            line = unit.line(Node(variable.line, 1))
            return f"the local '{name}' of line {line} ends with its block: declare it before that block"
    if name in MODULES:
        return module_hint(unit, name)
    if name in FORMER:
        return FORMER[name]
    known = sorted(unit.known_globals | {variable.name for variable in unit.chunk.locals})
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f"did you mean '{near[0]}'?" if near else "declare it with local, or pass it as an argument"


def _later_local(use: GlobalUse) -> tuple[int, int] | None:
    """Line of a local of that name which a block around the use declares further down, and where it should stand.

    That is before the statement of that block in which the use is: a function, or the line of the use itself.
    """
    place = (use.node.line, use.node.column)
    block: Block | None = use.block
    before = use.node.line
    while block is not None:
        for variable in block.locals:
            if variable.name == use.node.name and (variable.line, variable.column) > place:
                return variable.line, before
        if block.parent is not None and block.parent.function is not block.function:
            before = block.function.line
        block = block.parent
    return None


def module_hint(unit: Unit, name: str) -> str:
    """What to do when an entry uses a known module that it does not list."""
    reason = refusal(name)
    if unit.workflows and reason:
        where = "workflows" if unit.is_workflow else f"workflow {unit.workflows[0].id}, which imports this library,"
        return (
            f"'{name}' is not available in {where}: {reason}. Do it in a function.lua entry and call that with"
            " funcs.call"
        )
    return f"'{name}' is a module: add '{name}' to 'modules:' of {unit.entry.id}"


def assigned_globals(unit: Unit, values: Values) -> Iterator[Problem]:
    """Globals that are assigned without having been declared: state that outlives the call."""
    places: dict[str, list[Node]] = defaultdict(list)
    for use in unit.chunk.globals:
        if use.action == "write" and not use.declared:
            places[use.node.name].append(use.node)
    for name, found in places.items():
        also = unit.also_at(found)
        if name in unit.known_globals:
            message = f"assignment to '{name}' replaces what the runtime provides under that name"
            hint = f"use another name, or 'local {name}' if that is meant"
        else:
            message = f"assignment to global '{name}': global state"
            hint = f"write 'local {name}' (or 'global {name}' if it is meant to be one)"
        yield unit.warning(found[0], message, "; ".join(filter(None, (hint, also))))


def absent_names(unit: Unit, values: Values) -> Iterator[Problem]:
    """Standard functions that do not exist here (decision 5)."""
    places: dict[str, list[Node]] = defaultdict(list)
    members: dict[Node, str] = {}
    for index in unit.nodes(nodes.Index):
        if not isinstance(index.key, nodes.String):
            continue
        members[index.object] = index.key.value
        owner = values.value(index.object)
        name = f"{owner.type}.{index.key.value}" if isinstance(owner, Typed) else ""
        if name in ABSENT:
            places[name].append(index)
    for use in unit.chunk.globals:
        root = use.node.name
        if use.action == "read" and root not in unit.assigned_globals:
            name = f"{root}.{members[use.node]}" if use.node in members else root
            if root in ABSENT or (root == "package" and name in ABSENT):
                places[name].append(use.node)
    where = "in workflows" if unit.is_workflow else "here"
    for name, found in places.items():
        reason = ABSENT.get(name) or ABSENT[name.partition(".")[0]]
        hint = "; ".join(filter(None, (reason, unit.also_at(found))))
        report = unit.warning if all(node in unit.probed for node in found) else unit.error
        yield report(found[0], f"'{name}' does not exist {where}", hint)


def metatable_modes(unit: Unit, values: Values) -> Iterator[Problem]:
    """Finalizers and weak tables, which workflows refuse (decision 5)."""
    if not unit.workflows:
        return
    where = "" if unit.is_workflow else f" (workflow {unit.workflows[0].id} imports this library)"
    for call in unit.nodes(nodes.Call):
        function = call.function
        if not isinstance(function, Name) or function.name != "setmetatable" or function.local is not None:
            continue
        table = values.literal(call.arguments[1]) if len(call.arguments) > 1 else None
        for item in table.fields if isinstance(table, nodes.Table) else []:
            key = values.text(item.key)
            if key == "__gc":
                hint = "when it runs would differ between replays: use 'local x <close>' for cleaning up"
                yield unit.error(item, f"finalizers ('__gc') are refused in workflows{where}", hint)
            elif key == "__mode":
                hint = "what it still holds would differ between replays: remove entries yourself"
                yield unit.error(item, f"weak tables ('__mode') are refused in workflows{where}", hint)
