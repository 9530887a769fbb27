"""Calls of other entries by literal id: functions, workflows and processes (decisions 20, 21, 33)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from fleet.check import nodes
from fleet.check.api import SPAWN_CALLS
from fleet.check.nodes import Expression
from fleet.check.unit import Unit
from fleet.check.values import Callee, Values
from fleet.registry import App, Entry, FunctionEntry, Problem, ProcessEntry, WorkerEntry, WorkflowEntry

_TASK_QUEUE_OPTIONS = frozenset({"activity.task_queue", "temporal.activity.task_queue"})
_HOST_KINDS = ("temporal.worker", "process.host")


def function_calls(unit: Unit, values: Values) -> Iterator[Problem]:
    """`funcs.call`/`async` and the same of executors: the id must be that of a function it can reach."""
    for call, callee in _calls(unit, values):
        if callee.member not in ("call", "async") or callee.type not in ("funcs", "Executor"):
            continue
        if callee.options.open or _TASK_QUEUE_OPTIONS & callee.options.known.keys():
            continue  # a task queue of its own: the id is an activity type, perhaps of another program
        shown = f"funcs.{callee.member}" if callee.type == "funcs" else f"executor:{callee.member}"
        if not call.arguments:
            yield unit.error(call, f"{shown} without the id of a function", "write the entry id as first argument")
            continue
        target = values.text(call.arguments[0])
        if target is not None:
            yield from _check_function(unit, call.arguments[0], target, shown)


def _check_function(unit: Unit, place: Expression, target: str, shown: str) -> Iterator[Problem]:
    entry = unit.app.entries.get(target)
    callable_ids = [*unit.app.functions, *unit.app.processes] if unit.workflows else list(unit.app.functions)
    if entry is None:
        yield unit.error(place, f"{shown}: {_unknown(target, 'function')}", _suggest(target, callable_ids, unit.app))
    elif isinstance(entry, WorkflowEntry):
        worker = entry.worker or "<worker>"
        hint = f'workflows are started with process.spawn("{target}", "{worker}", …)'
        if unit.is_workflow:
            hint = f'run it as a child with workflow.exec("{target}", …), or start it with process.spawn'
        yield unit.error(place, f"{shown}: '{target}' is a workflow, not a function", hint)
    elif not isinstance(entry, FunctionEntry | ProcessEntry):
        yield unit.error(
            place, f"{shown}: '{target}' is a {entry.kind}, not a function", _suggest(target, callable_ids, unit.app)
        )
    elif unit.workflows and entry.activity is None:
        workflow = unit.workflows[0]
        worker = workflow.worker or "<worker>"
        yield unit.error(
            place,
            f"{shown}: '{target}' is no activity, and workflow {workflow.id} can call activities only",
            f"add 'meta: {{temporal: {{activity: {{worker: {worker}}}}}}}' to {target} ({entry.file}:{entry.line})",
        )
    elif isinstance(entry, ProcessEntry) and not unit.workflows:
        yield unit.error(
            place, f"{shown}: '{target}' is a process, not a function", f'start it with process.spawn("{target}", …)'
        )


def spawns(unit: Unit, values: Values) -> Iterator[Problem]:
    """`process.spawn…`, `process.exec` and the same of spawners: id and host must fit each other."""
    for call, callee in _calls(unit, values):
        if callee.type not in ("process", "Spawner") or callee.member not in SPAWN_CALLS:
            continue
        shown = f"process.{callee.member}" if callee.type == "process" else f"spawner:{callee.member}"
        arguments = call.arguments
        if len(arguments) < 2:
            if not arguments or not _may_be_several(arguments[-1]):
                yield unit.error(
                    call, f"{shown} requires at least id and host arguments",
                    'write the entry id and its worker: ("app:order_workflow", "app:worker", …)',
                )  # fmt: skip
            continue
        target, host = values.text(arguments[0]), values.text(arguments[1])
        if host is not None:
            yield from _check_host(unit, arguments, target, host, shown)
        elif target is not None:
            yield from _check_kind(unit, arguments[0], target, shown)


def _check_host(
    unit: Unit, arguments: list[Expression], target: str | None, host: str, shown: str
) -> Iterator[Problem]:
    entry = unit.app.entries.get(host)
    if entry is None:
        near = difflib.get_close_matches(host, _hosts(unit.app), n=1, cutoff=0.8)
        if near:  # else: a raw task queue, whose workflow types are not ours to know
            yield unit.warning(
                arguments[1], f"{shown}: no entry '{host}', so it is taken as the name of a task queue",
                f"did you mean '{near[0]}'?",
            )  # fmt: skip
    elif entry.kind not in _HOST_KINDS:
        hint = f"give a temporal.worker or process.host: {', '.join(_hosts(unit.app))}"
        yield unit.error(arguments[1], f"{shown}: host '{host}' is a {entry.kind}", hint)
    elif target is None:
        pass
    elif isinstance(entry, WorkerEntry):
        yield from _check_workflow(unit, arguments[0], target, shown, host)
    else:
        yield from _check_process(unit, arguments[0], target, shown, host)


def _check_workflow(unit: Unit, place: Expression, target: str, shown: str, worker: str) -> Iterator[Problem]:
    """A workflow that is started by id; `worker` "" means its own."""
    app = unit.app
    entry = app.entries.get(target)
    if entry is None:
        yield unit.error(place, f"{shown}: {_unknown(target, 'workflow')}", _suggest(target, app.workflows, app))
    elif not isinstance(entry, WorkflowEntry):
        hint = f'call it with funcs.call("{target}", …)' if isinstance(entry, FunctionEntry) else ""
        if isinstance(entry, ProcessEntry):
            hint = "processes are spawned on a process.host"
        yield unit.error(
            place, f"{shown}: '{target}' is a {entry.kind}, not a workflow",
            hint or _suggest(target, app.workflows, app),
        )  # fmt: skip
    elif entry.worker is None:
        yield unit.error(
            place, f"{shown}: workflow '{target}' is bound to no worker",
            f"set meta.temporal.workflow.worker of {target} ({entry.file}:{entry.line})",
        )  # fmt: skip
    elif worker and entry.worker != worker:
        yield unit.error(
            place, f"{shown}: workflow '{target}' is served by worker '{entry.worker}', not by '{worker}'",
            f"write '{entry.worker}' as the host, or change meta.temporal.workflow.worker of {target}"
            f" ({entry.file}:{entry.line})",
        )  # fmt: skip


def _check_process(unit: Unit, place: Expression, target: str, shown: str, host: str) -> Iterator[Problem]:
    app = unit.app
    entry = app.entries.get(target)
    if entry is None:
        yield unit.error(place, f"{shown}: {_unknown(target, 'process')}", _suggest(target, app.processes, app))
    elif isinstance(entry, WorkflowEntry):
        yield unit.error(
            place, f"{shown}: '{target}' is a workflow, and '{host}' is a process.host",
            f"the host of a workflow is its temporal.worker: '{entry.worker or '<worker>'}'",
        )  # fmt: skip
    elif not isinstance(entry, ProcessEntry):
        hint = f'call it with funcs.call("{target}", …)' if isinstance(entry, FunctionEntry) else ""
        yield unit.error(place, f"{shown}: '{target}' is a {entry.kind}, not a process", hint)


def _check_kind(unit: Unit, place: Expression, target: str, shown: str) -> Iterator[Problem]:
    """What can be said of an id whose host is only known at run time."""
    app = unit.app
    entry: Entry | None = app.entries.get(target)
    if entry is None:
        near = difflib.get_close_matches(target, [*app.workflows, *app.processes], n=1, cutoff=0.8)
        if near:
            yield unit.warning(place, f"{shown}: {_unknown(target, 'workflow')}", f"did you mean '{near[0]}'?")
    elif not isinstance(entry, WorkflowEntry | ProcessEntry):
        hint = f'call it with funcs.call("{target}", …)' if isinstance(entry, FunctionEntry) else ""
        yield unit.error(place, f"{shown}: '{target}' is a {entry.kind}, not a workflow or process", hint)


def child_workflows(unit: Unit, values: Values) -> Iterator[Problem]:
    """`workflow.exec`, and `process.upgrade` to another entry."""
    for call, callee in _calls(unit, values):
        target = values.text(call.arguments[0]) if call.arguments else None
        if (callee.type, callee.member) == ("workflow", "exec"):
            if isinstance(unit.entry, FunctionEntry | ProcessEntry):
                yield unit.error(
                    call, "workflow.exec works inside a workflow only",
                    "use process.exec(id, worker, …) to run a workflow and wait for it",
                )  # fmt: skip
            elif not call.arguments:
                yield unit.error(call, "workflow.exec without the id of a workflow", "write the entry id first")
            elif target is not None:
                yield from _check_workflow(unit, call.arguments[0], target, "workflow.exec", "")
        elif (callee.type, callee.member) == ("process", "upgrade") and target:
            if unit.is_workflow:
                yield from _check_workflow(unit, call.arguments[0], target, "process.upgrade", "")
            elif isinstance(unit.entry, ProcessEntry):
                yield from _check_process(unit, call.arguments[0], target, "process.upgrade", "")


def _calls(unit: Unit, values: Values) -> Iterator[tuple[nodes.Call | nodes.MethodCall, Callee]]:
    """All calls of known functions."""
    calls: list[nodes.Call | nodes.MethodCall] = [*unit.nodes(nodes.Call), *unit.nodes(nodes.MethodCall)]
    for call in calls:
        callee = values.callee(call)
        if callee is not None:
            yield call, callee


def _may_be_several(expression: Expression) -> bool:
    """Whether a last argument may stand for several."""
    return isinstance(expression, nodes.Call | nodes.MethodCall | nodes.Vararg)


def _unknown(target: str, what: str) -> str:
    if not target:
        return f"{what} ID required, got ''"
    if ":" not in target:
        return f"'{target}' is no entry id (namespace:name)"
    return f"unknown {what} '{target}'"


def _suggest(target: str, known: Iterable[str], app: App) -> str:
    """The id that was probably meant: of the right kind if there is one, else any."""
    ids = sorted(known)
    guess = _nearest_id(target, ids)
    if guess:
        return f"did you mean '{guess}'?"
    guess = _nearest_id(target, app.entries)
    if guess:
        return f"the nearest id is '{guess}', a {app.entries[guess].kind}"
    return f"known: {', '.join(ids[:8])}{', …' if len(ids) > 8 else ''}" if ids else "the application has none"


def _nearest_id(target: str, known: Iterable[str]) -> str:
    """The id whose name is nearest; one of the same namespace first, since a shared namespace proves nothing."""
    namespace, _, name = target.rpartition(":")
    found: list[tuple[float, bool, str]] = []
    for candidate in known:
        other_namespace, _, other_name = candidate.partition(":")
        likeness = difflib.SequenceMatcher(None, name, other_name).ratio()
        if likeness >= 0.6 or (name and other_name.startswith(name)):
            found.append((likeness, other_namespace == namespace, candidate))
    return max(found)[2] if found else ""


def _hosts(app: App) -> list[str]:
    return [entry.id for entry in app.entries.values() if entry.kind in _HOST_KINDS]
