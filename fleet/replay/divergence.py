"""Finds the first command of a replay that does not fit the recorded history, and where in Lua it was issued.

Temporal's core says that a history does not fit, and seldom more than the event. Commands and events are compared here
once more: each command answers a workflow task, each event of a command names the task that it was recorded with, and
within a task both are in the same order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_commands import WorkflowCommand

_FRAME = re.compile(r"^\s*([^\[\s][^\n]*?):(\d+): in ", re.MULTILINE)
_NO_EVENT = {
    "respond_to_query",
    "cancel_signal_workflow",
    "request_cancel_local_activity",
}
_LOCAL_ACTIVITY, _PATCH = "core_local_activity", "core_patch"
_UPDATE_ACCEPTED, _UPDATE_ANSWERED = "update accepted", "update answered"  # the two sorts of update_response


@dataclass(frozen=True)
class Issued:
    """A command of a replay.

    Attributes:
        task: id of the WorkflowTaskStarted event that it answers.
        command: the command.
        stack: the Lua stack where it was issued.
    """

    task: int
    command: WorkflowCommand
    stack: str

    @property
    def lua_stack(self) -> str:
        """The stack of the script: for a failure, that of the error."""
        failure = self.command.fail_workflow_execution.failure
        return failure.stack_trace or self.stack

    @property
    def place(self) -> str:
        """``file:line`` of the script, "" when no script was running (the end of its main function)."""
        match = _FRAME.search(self.lua_stack)
        return f"{match[1]}:{match[2]}" if match else ""


@dataclass(frozen=True)
class Divergence:
    """Where code and history part.

    Attributes:
        command: what the code does, as text; "" when it does nothing there.
        place: ``file:line`` where it does it, or "".
        stack: the Lua stack there, or "".
        after: ``file:line`` of the command before, for what happens when no script runs; or "".
        event_id: the recorded event, 0 when nothing more was recorded there.
        event: the event as text, or that there is none.
    """

    command: str
    place: str
    stack: str
    after: str
    event_id: int
    event: str

    def render(self) -> str:
        """One sentence."""
        code = f"the code {self.command}" if self.command else "the code does nothing"
        at = f" at {self.place}" if self.place else f" (after {self.after})" if self.after else ""
        history = f"history has event {self.event_id}, {self.event}" if self.event_id else f"history has {self.event}"
        return f"{code}{at}, where {history}"


@dataclass(frozen=True)
class _Kind:
    """How a command shows in history: the type of its event, and what must be the same on both."""

    event: str
    of_command: Callable[[Any], tuple[str, ...]] = lambda body: ()
    of_event: Callable[[Any], tuple[str, ...]] = lambda attributes: ()
    words: str = ""


_KINDS: dict[str, _Kind] = {
    "start_timer": _Kind("TimerStarted", lambda c: (str(c.seq),), lambda e: (e.timer_id,), "starts timer {}"),
    "cancel_timer": _Kind("TimerCanceled", lambda c: (str(c.seq),), lambda e: (e.timer_id,), "cancels timer {}"),
    "schedule_activity": _Kind(
        "ActivityTaskScheduled",
        lambda c: (c.activity_type, c.activity_id),
        lambda e: (e.activity_type.name, e.activity_id),
        "calls activity {} (id {})",
    ),
    "request_cancel_activity": _Kind("ActivityTaskCancelRequested", words="cancels an activity"),
    "complete_workflow_execution": _Kind("WorkflowExecutionCompleted", words="completes the workflow"),
    "fail_workflow_execution": _Kind("WorkflowExecutionFailed", words="fails the workflow"),
    "cancel_workflow_execution": _Kind("WorkflowExecutionCanceled", words="ends the workflow as canceled"),
    "continue_as_new_workflow_execution": _Kind("WorkflowExecutionContinuedAsNew", words="continues as new"),
    "start_child_workflow_execution": _Kind(
        "StartChildWorkflowExecutionInitiated",
        lambda c: (c.workflow_type, c.workflow_id),
        lambda e: (e.workflow_type.name, e.workflow_id),
        "starts child workflow {} (id {})",
    ),
    "cancel_child_workflow_execution": _Kind(
        "RequestCancelExternalWorkflowExecutionInitiated", words="cancels a child workflow"
    ),
    "signal_external_workflow_execution": _Kind(
        "SignalExternalWorkflowExecutionInitiated",
        lambda c: (c.signal_name,),
        lambda e: (e.signal_name,),
        "sends signal {}",
    ),
    "request_cancel_external_workflow_execution": _Kind(
        "RequestCancelExternalWorkflowExecutionInitiated", words="cancels another workflow"
    ),
    "upsert_workflow_search_attributes": _Kind("UpsertWorkflowSearchAttributes", words="sets search attributes"),
    "modify_workflow_properties": _Kind("WorkflowPropertiesModified", words="sets the memo"),
    "schedule_local_activity": _Kind(
        _LOCAL_ACTIVITY, lambda c: (c.activity_type, str(c.seq)), words="calls local activity {} (number {})"
    ),
    _UPDATE_ACCEPTED: _Kind("WorkflowExecutionUpdateAccepted", words="takes an update"),
    _UPDATE_ANSWERED: _Kind("WorkflowExecutionUpdateCompleted", words="answers an update"),
    "set_patch_marker": _Kind(_PATCH, lambda c: (c.patch_id,), words="decides a version ({})"),
}
_UPDATE_EVENTS = (_KINDS[_UPDATE_ACCEPTED].event, _KINDS[_UPDATE_ANSWERED].event)
_BY_EVENT = {kind.event: kind for kind in _KINDS.values()}


def find_divergence(
    events: Sequence[HistoryEvent], issued: Sequence[Issued], reached: Iterable[int]
) -> Divergence | None:
    """The first command that does not fit, or None when commands and events look alike (then core's words must do).

    events: the whole history. issued: the commands of the replay, in order. reached: the WorkflowTaskStarted events of
    the activations that the replay came to.
    """
    completed = {
        event.workflow_task_completed_event_attributes.started_event_id: event.event_id
        for event in events
        if event.HasField("workflow_task_completed_event_attributes")
    }
    recorded: dict[int, list[HistoryEvent]] = {}
    for task, event in _with_command(events):
        recorded.setdefault(task, []).append(event)
    for task in sorted(set(reached) & set(completed)):
        commands = _sent([one for one in issued if one.task == task])
        found = _compare(commands, recorded.get(completed[task], []))
        if found is not None:
            nothing = f"nothing more between event {completed[task]} and the next workflow task"
            return _divergence(*found, issued, nothing)
    found = _marker_difference(events, issued)
    return _divergence(*found, issued) if found is not None else None


_Difference = tuple[Issued | None, HistoryEvent | None]


def _compare(commands: Sequence[Issued], events: Sequence[HistoryEvent]) -> _Difference | None:
    """The first difference within a workflow task, markers aside: those have a time of their own."""
    mine = [one for one in commands if _KINDS[_variant(one)].event not in (_LOCAL_ACTIVITY, _PATCH)]
    theirs = [event for event in events if not event.HasField("marker_recorded_event_attributes")]
    for index in range(max(len(mine), len(theirs))):
        one = mine[index] if index < len(mine) else None
        event = theirs[index] if index < len(theirs) else None
        if one is None or event is None or not _fits(one, event):
            return one, event
    return None


def _marker_difference(events: Sequence[HistoryEvent], issued: Sequence[Issued]) -> _Difference | None:
    """A recorded version or local activity that the code does not come to any more."""
    for event in events:
        name, *facts = _marker(event)
        mine = [one for one in issued if _KINDS.get(_variant(one), _Kind("")).event == name]
        if name == _PATCH and not any(_facts(one) == tuple(facts) for one in mine):
            return None, event
        if name == _LOCAL_ACTIVITY:
            same = next((one for one in mine if _facts(one)[1:] == tuple(facts[1:])), None)
            if same is None or _facts(same) != tuple(facts):
                return same, event
    return None


def _divergence(
    one: Issued | None, event: HistoryEvent | None, issued: Sequence[Issued], nothing: str = ""
) -> Divergence:
    before = issued[: issued.index(one)] if one is not None else issued
    return Divergence(
        command=_words(one) if one is not None else "",
        place=one.place if one is not None else "",
        stack=one.lua_stack.strip() if one is not None and one.place else "",
        after=next((earlier.place for earlier in reversed(before) if earlier.place), ""),
        event_id=event.event_id if event is not None else 0,
        event=_describe(event) if event is not None else nothing,
    )


def _words(one: Issued) -> str:
    text = _KINDS[_variant(one)].words.format(*_facts(one))
    failure = one.command.fail_workflow_execution.failure
    return f"{text} ({failure.message})" if failure.message else text


def _fits(one: Issued, event: HistoryEvent) -> bool:
    kind = _KINDS[_variant(one)]
    return kind.event == _event_type(event) and _facts(one) == kind.of_event(_attributes(event))


def _sent(commands: Sequence[Issued]) -> list[Issued]:
    """The commands without those that leave no event, such as timers and activities that were taken back at once."""
    known = [one for one in commands if _variant(one) in _KINDS and _variant(one) not in _NO_EVENT]
    taken_back = set()
    for start, cancel in (("start_timer", "cancel_timer"), ("schedule_activity", "request_cancel_activity")):
        started = {_body(one).seq for one in known if _variant(one) == start}
        taken_back |= {
            (variant, _body(one).seq)
            for one in known
            if _variant(one) == cancel and _body(one).seq in started
            for variant in (start, cancel)
        }
    return [one for one in known if (_variant(one), getattr(_body(one), "seq", None)) not in taken_back]


def _with_command(events: Sequence[HistoryEvent]) -> Iterable[tuple[int, HistoryEvent]]:
    """The events that a command leaves, each with the WorkflowTaskCompleted event that it belongs to; not the search
    attribute that core adds to a version."""
    before: HistoryEvent | None = None
    task = 0
    for event in events:
        attributes = _attributes(event)
        if event.HasField("workflow_task_completed_event_attributes"):
            task = event.event_id
        after_patch = before is not None and _marker(before)[0] == _PATCH
        # Updates have no such field: their events stand behind the task.
        of_task = "workflow_task_completed_event_id" in attributes.DESCRIPTOR.fields_by_name
        if (
            (of_task or _event_type(event) in _UPDATE_EVENTS)
            and not (after_patch and event.HasField("upsert_workflow_search_attributes_event_attributes"))
            and _event_type(event) in {*_BY_EVENT, "MarkerRecorded"}
        ):
            yield attributes.workflow_task_completed_event_id if of_task else task, event
        before = event


def _marker(event: HistoryEvent) -> tuple[str, ...]:
    """The name of a marker that core records and what it says; an empty name for every other event."""
    if not event.HasField("marker_recorded_event_attributes"):
        return ("",)
    attributes = event.marker_recorded_event_attributes
    field = "patch-data" if attributes.marker_name == _PATCH else "data"
    try:
        data = json.loads(attributes.details[field].payloads[0].data)
        if attributes.marker_name == _PATCH:
            return _PATCH, str(data["id"])
        return attributes.marker_name, str(data["activity_type"]), str(data["seq"])
    except (IndexError, KeyError, ValueError, TypeError):
        return ("",)


def _describe(event: HistoryEvent) -> str:
    name, *facts = _marker(event)
    if name:
        return f"{'a version' if name == _PATCH else 'a local activity'} ({', '.join(facts)})"
    kind = _BY_EVENT.get(_event_type(event))
    facts = list(kind.of_event(_attributes(event))) if kind is not None else []
    return _event_type(event) + (f" ({', '.join(facts)})" if facts else "")


def _event_type(event: HistoryEvent) -> str:
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    return "".join(word.capitalize() for word in name.split("_"))


def _attributes(event: HistoryEvent) -> Any:
    return getattr(event, event.WhichOneof("attributes") or "workflow_task_scheduled_event_attributes")


def _variant(one: Issued) -> str:
    if one.command.HasField("update_response"):
        return _UPDATE_ACCEPTED if one.command.update_response.HasField("accepted") else _UPDATE_ANSWERED
    return one.command.WhichOneof("variant") or ""


def _body(one: Issued) -> Any:
    return getattr(one.command, one.command.WhichOneof("variant") or "")


def _facts(one: Issued) -> tuple[str, ...]:
    return _KINDS[_variant(one)].of_command(_body(one))
