"""Modules: `require` of what is not there, members that a module or host object does not have, durations."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.check import nodes
from fleet.check.api import ABSENT, FORMER, TYPES
from fleet.check.nodes import Expression
from fleet.check.rules_names import module_hint
from fleet.check.unit import Unit
from fleet.check.values import Typed, Values
from fleet.registry import Problem
from fleet.registry.durations import parse_duration
from fleet.registry.modules import ABSENT as ABSENT_MODULES
from fleet.registry.modules import MODULES
from fleet.registry.problems import nearest

_DURATION_CALLS = frozenset(("time", member) for member in ("sleep", "after", "timer", "ticker", "parse_duration"))


def required_modules(unit: Unit, values: Values) -> Iterator[Problem]:
    """`require` of a name that the entry does not have."""
    for call in unit.nodes(nodes.Call):
        function = call.function
        if not isinstance(function, nodes.Name) or function.name != "require" or function.local is not None:
            continue
        name = values.text(call.arguments[0]) if call.arguments else None
        if name is None or name in unit.requirable:
            continue
        if name in MODULES:
            yield unit.error(call, f"module '{name}' is not among the modules of this entry", module_hint(unit, name))
        else:
            yield unit.error(call, f"module '{name}' not found", _unknown_module_hint(unit, name))


def _unknown_module_hint(unit: Unit, name: str) -> str:
    if name in unit.app.libraries:
        alias = name.rpartition(":")[2]
        return f"libraries are required by their alias: 'imports: {{{alias}: {name}}}', then require(\"{alias}\")"
    if name in ABSENT_MODULES or name in ("io", "debug"):
        return f"there is no module '{name}' in this runtime"
    guess = nearest(name, unit.requirable | MODULES.keys())
    if guess:
        return f"did you mean '{guess}'?"
    last = name.replace("/", ".").rpartition(".")[2]
    libraries = [library for library in unit.app.libraries if library.rpartition(":")[2] == last]
    if libraries:
        return f"name the library under 'imports:', as in '{last}: {libraries[0]}', then require(\"{last}\")"
    return "files are not searched: put shared code into a library.lua entry and name it under 'imports:'"


def unknown_members(unit: Unit, values: Values) -> Iterator[Problem]:
    """Members that a known module or host object does not have."""
    assigned = frozenset(unit.assigned_fields)
    added = {_owner_and_name(target, values) for target in assigned}
    for index in unit.nodes(nodes.Index):
        if isinstance(index.key, nodes.String) and index not in assigned and index not in unit.probed:
            yield from _check_member(unit, index.object, index.key, values, added)
    for call in unit.nodes(nodes.MethodCall):
        yield from _check_member(unit, call.object, call.method, values, added)


def _owner_and_name(target: nodes.Index, values: Values) -> tuple[str, str] | None:
    owner = values.value(target.object)
    if isinstance(owner, Typed) and isinstance(target.key, nodes.String):
        return owner.type, target.key.value
    return None


def _check_member(
    unit: Unit, owner: Expression, key: nodes.String, values: Values, added: set[tuple[str, str] | None]
) -> Iterator[Problem]:
    value = values.value(owner)
    if not isinstance(value, Typed) or (value.type, key.value) in added:
        return
    api = TYPES[value.type]
    full_name = f"{value.type}.{key.value}"
    if key.value in api.members or full_name in ABSENT:
        return
    if full_name in FORMER:
        hint = FORMER[full_name]
    else:
        guess = nearest(key.value, api.members)
        hint = f"did you mean '{guess}'?" if guess else f"it has: {', '.join(api.members)}"
    what = f"a {value.type}" if value.type[0].isupper() else f"'{value.type}'"
    yield unit.warning(key, f"{what} has no '{key.value}'", hint)


def separators(unit: Unit, values: Values) -> Iterator[Problem]:
    """Module functions called with a colon, methods of host objects called with a dot."""
    for call in unit.nodes(nodes.MethodCall):
        owner, name = values.value(call.object), call.method.value
        if isinstance(owner, Typed) and not TYPES[owner.type].is_object and name in TYPES[owner.type].members:
            yield unit.warning(
                call.method,
                f"{owner.type}:{name}(…) passes the module itself as the first argument",
                f"write {owner.type}.{name}(…)",
            )
    for plain in unit.nodes(nodes.Call):
        function = plain.function
        if not isinstance(function, nodes.Index) or not isinstance(function.key, nodes.String):
            continue
        owner, name = values.value(function.object), function.key.value
        if not isinstance(owner, Typed) or not TYPES[owner.type].is_object or name not in TYPES[owner.type].members:
            continue
        if plain.arguments and values.value(plain.arguments[0]) == owner:
            continue  # ch.receive(ch)
        shown = function.object.name if isinstance(function.object, nodes.Name) else "…"
        yield unit.warning(function.key, f"'{name}' is a method", f"write {shown}:{name}(…)")


def literal_durations(unit: Unit, values: Values) -> Iterator[Problem]:
    """Durations in `time.sleep("…")` and its like that are none."""
    for call in unit.nodes(nodes.Call):
        callee = values.callee(call)
        if callee is None or (callee.type, callee.member) not in _DURATION_CALLS or not call.arguments:
            continue
        text = values.text(call.arguments[0])
        if text is None:
            continue
        try:
            parse_duration(text)
        except ValueError:
            yield unit.error(
                call.arguments[0],
                f"time.{callee.member}: '{text}' is not a duration",
                "numbers with units, such as 250ms, 1.5s, 5m or 1h30m",
            )
