"""Options in literal tables: those of `with_options`, and search attributes (decisions 24, 32, 35)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fleet.check import nodes
from fleet.check.nodes import Expression
from fleet.check.unit import Unit
from fleet.check.values import Options, Typed, Values
from fleet.registry import ClientEntry, Problem, WorkerEntry
from fleet.registry.call_options import FAMILIES, Family, split_option
from fleet.registry.nodes import Node as DataNode
from fleet.registry.problems import Report, did_you_mean, nearest
from fleet.registry.schema import Mismatch, Rejected, Scope, ValueType
from fleet.registry.types import Bool, Word

_OWNERS: dict[str, Family] = {"Executor": "activity", "Spawner": "workflow"}
# Decision 24: a child workflow is started by a command that has no field for these.
_NOT_FOR_CHILDREN = {
    "start_delay": "sleep with time.sleep at the start of the child instead",
    "enable_eager_start": "it is for starts from outside a workflow",
    "id_conflict_policy": "a child whose name is taken fails to start; it is for starts from outside a workflow",
}
_ATTRIBUTE_TYPES = {"string": "Keyword", "integer": "Int", "number": "Double", "boolean": "Bool", "list": "KeywordList"}
_FITTING = {
    "string": {"Keyword", "Text", "Datetime"},
    "integer": {"Int", "Double"},
    "number": {"Double"},
    "boolean": {"Bool"},
    "list": {"KeywordList"},
}


def option_tables(unit: Unit, values: Values) -> Iterator[Problem]:
    """Unknown names, wrong values and impossible combinations in the tables of `with_options`."""
    calls: list[nodes.Call | nodes.MethodCall] = [*unit.nodes(nodes.Call), *unit.nodes(nodes.MethodCall)]
    for call in calls:
        callee = values.callee(call)
        result = values.value(call)
        if callee is None or callee.member != "with_options" or not isinstance(result, Typed):
            continue
        family = _OWNERS[result.type]
        given = values.given_options(call)
        for key, value in given.known.items():
            yield from _check_option(unit, values, family, key, value)
        yield from _check_together(unit, given, result.options)


def _check_option(unit: Unit, values: Values, family: Family, key: str, value: Expression) -> Iterator[Problem]:
    option = split_option(key)
    if option is None:
        yield from _check_stray(unit, family, key, value)
        return
    found_family, name = option
    known = FAMILIES[found_family]
    if name not in known:
        yield unit.error(value, f"unknown {found_family} option '{key}'", did_you_mean(name, known))
        return
    if found_family != family:
        maker = "process.with_options" if found_family == "workflow" else "funcs.new():with_options"
        yield unit.warning(value, f"'{key}' has no effect on this call", f"{found_family} options go to {maker}")
    yield from _check_value(unit, values, key, known[name], value)
    if found_family != "workflow":
        return
    if unit.is_workflow and name in _NOT_FOR_CHILDREN and values.text(value) != "use_existing":
        yield unit.error(value, f"'{key}' cannot be set for a child workflow", _NOT_FOR_CHILDREN[name])
    if name in ("search_attributes", "typed_search_attributes"):
        yield from _check_attributes(unit, values, value)


def _check_stray(unit: Unit, family: Family, key: str, value: Expression) -> Iterator[Problem]:
    """An option that belongs to no family: probably the family is missing or misspelt."""
    if key in FAMILIES[family]:
        yield unit.warning(value, f"option '{key}' has no effect", f'write ["{family}.{key}"]')
    elif "." in key:
        full_names = [f"{prefix}{family}.{name}" for prefix in ("", "temporal.") for name in FAMILIES[family]]
        near = difflib.get_close_matches(key, full_names, n=1, cutoff=0.8)
        if near:
            yield unit.warning(value, f"option '{key}' has no effect", f"did you mean '{near[0]}'?")


def _check_value(unit: Unit, values: Values, key: str, kind: ValueType, value: Expression) -> Iterator[Problem]:
    literal = values.literal(value)
    if isinstance(literal, nodes.Nil) or (isinstance(kind, Word) and isinstance(literal, nodes.Number)):
        return  # nil is no option at all; enumerations are taken as numbers too
    if isinstance(kind, Bool) and isinstance(literal, nodes.String):
        yield unit.error(value, f"'{key}' must be a boolean, got a string", "write true or false without quotes")
        return
    report = Report()
    scope = Scope(report, unit.entry.source.file, unit.entry.id, "", unit.entry.kind, Path(), [], lambda _: None, key)
    data = _as_data(unit, values, value)
    try:
        if not data.broken:
            kind.decode(data, scope)
    except Mismatch as mismatch:
        scope.mismatch(mismatch, data)
    except Rejected:
        pass
    for problem in report.problems:
        if problem.severity == "warning":  # an unknown field of a policy: YAML passes over it, a call refuses it
            problem = replace(problem, severity="error", message="unknown field")
        yield problem


def _as_data(unit: Unit, values: Values, expression: Expression) -> DataNode:
    """A literal as the data that the registry checks; what is not literal is marked so that it is left alone."""
    literal = values.literal(expression)
    line = unit.line(expression)
    text = values.text(expression)
    if text is not None:
        return DataNode(text, line, text)
    if isinstance(literal, nodes.Unary) and literal.operator == "-" and isinstance(literal.operand, nodes.Number):
        return DataNode(-literal.operand.value, line, str(-literal.operand.value))
    if isinstance(literal, nodes.Number | nodes.Boolean):
        return DataNode(literal.value, line, str(literal.value).lower())
    if isinstance(literal, nodes.Table):
        items = [item for item in literal.fields if item.key is None]
        if items and len(items) == len(literal.fields):
            listed = [_as_data(unit, values, item.value) for item in items]
            return DataNode(listed, line, broken=any(item.broken for item in listed))
        keyed = ((values.text(item.key), item) for item in literal.fields)
        return DataNode({key: _as_data(unit, values, item.value) for key, item in keyed if key is not None}, line)
    return DataNode(None, line, broken=True)


def _check_together(unit: Unit, given: Options, merged: Options) -> Iterator[Problem]:
    """Decision 24: the server refuses a cron schedule with a start delay."""

    def of(options: Options, name: str) -> Expression | None:
        return options.known.get(f"temporal.workflow.{name}", options.known.get(f"workflow.{name}"))

    both = of(merged, "cron_schedule"), of(merged, "start_delay")
    mine = of(given, "start_delay") or of(given, "cron_schedule")
    if both[0] is not None and both[1] is not None and mine is not None:
        yield unit.error(
            mine,
            "cron_schedule and start_delay cannot be set together: the server refuses to start such a workflow",
            "remove one of them; the schedule itself says when the first run is due",
        )


def search_attributes(unit: Unit, values: Values) -> Iterator[Problem]:
    """Search attributes of `workflow.attrs` that no client declares."""
    for call in unit.nodes(nodes.Call):
        callee = values.callee(call)
        if callee is None or (callee.type, callee.member) != ("workflow", "attrs") or not call.arguments:
            continue
        table = values.literal(call.arguments[0])
        for item in table.fields if isinstance(table, nodes.Table) else []:
            key = values.text(item.key)
            if key == "search":
                yield from _check_attributes(unit, values, item.value)
            elif key is not None and key != "memo":
                guess = nearest(key, ("search", "memo"))
                hint = f"did you mean '{guess}'?" if guess else "it takes search and memo"
                yield unit.warning(item, f"workflow.attrs: '{key}' has no effect", hint)


def _check_attributes(unit: Unit, values: Values, expression: Expression) -> Iterator[Problem]:
    table = values.literal(expression)
    clients = _clients(unit)
    if not isinstance(table, nodes.Table) or not clients:
        return
    declared = [client.search_attributes for client in clients]
    shown = clients[0].id if len(clients) == 1 else "a temporal.client"
    for item in table.fields:
        name = values.text(item.key)
        if name is None:
            continue
        kind = _literal_kind(values.literal(item.value))
        types = {attributes[name] for attributes in declared if name in attributes}
        if not types:
            known = {known for attributes in declared for known in attributes}
            guess = nearest(name, known)
            add = f"add '{name}: {_ATTRIBUTE_TYPES.get(kind, 'Keyword')}' to 'search_attributes:' of {clients[0].id}"
            hint = f"did you mean '{guess}'? Else {add}" if guess else add
            yield unit.error(item, f"search attribute '{name}' is not declared on {shown}", hint)
        elif kind and not types & _FITTING[kind]:
            yield unit.warning(
                item,
                f"search attribute '{name}' is declared as {' or '.join(sorted(types))}, and this is a {kind}",
                f"declare it as {_ATTRIBUTE_TYPES[kind]}, or convert the value",
            )


def _clients(unit: Unit) -> list[ClientEntry]:
    """The clients of the workflows that this code runs in; of other code, all: what it starts may run on any."""
    workers = [unit.app.entries.get(workflow.worker or "") for workflow in unit.workflows]
    ids = {worker.client for worker in workers if isinstance(worker, WorkerEntry)} if unit.is_workflow else set()
    clients = list(unit.app.clients.values())
    return [client for client in clients if client.id in ids] if ids else clients


def _literal_kind(expression: Expression) -> str:
    match expression:
        case nodes.String():
            return "string"
        case nodes.Number(value=int()):
            return "integer"
        case nodes.Number():
            return "integer" if expression.value == int(expression.value) else "number"
        case nodes.Boolean():
            return "boolean"
        case nodes.Table(fields=[*fields]) if all(item.key is None for item in fields):
            return "list"
    return ""
