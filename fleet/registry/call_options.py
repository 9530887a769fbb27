"""The options of activities and workflows that ``meta.options`` may set, with their types.

The same names are given to ``with_options`` in Lua; the tables here are the list of what exists
(spec/activities.md section 3, spec/workflows.md section 3, spec/decisions.md 32).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from .nodes import Node
from .problems import did_you_mean, nearest
from .schema import Mismatch, Rejected, Scope, ValueType, record, setting
from .types import Anything, Bool, Duration, Integer, MapOf, Number, Record, Text, Word

Family = Literal["activity", "workflow"]


@dataclass(frozen=True)
class CallDuration:
    """A Go duration string, or a number of milliseconds."""

    def decode(self, node: Node, scope: Scope) -> timedelta:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Mismatch("must be a duration string or milliseconds number")
        if isinstance(value, str):
            return Duration().decode(node, scope)
        if not 0 <= value < float("inf"):
            raise Mismatch("must be 0 or more milliseconds")
        return timedelta(milliseconds=value)


@dataclass(frozen=True)
class TextOrList:
    """One string or a list of strings."""

    def decode(self, node: Node, scope: Scope) -> tuple[str, ...]:
        items = node.value if isinstance(node.value, list) else [node]
        return tuple(Text(empty=False).decode(item, scope) for item in items)


@record
class RetryOptions:
    """A retry policy as ``retry_policy`` spells it."""

    initial_interval: timedelta = setting(CallDuration(), default=timedelta(seconds=1))
    backoff_coefficient: float = setting(Number(minimum=1), default=2.0)
    maximum_interval: timedelta | None = setting(CallDuration(), default=None)
    maximum_attempts: int = setting(Integer(minimum=0), default=0)
    non_retryable_error_types: tuple[str, ...] = setting(TextOrList(), default=())


@record
class PriorityOptions:
    """A task priority as ``priority`` spells it."""

    priority_key: int | None = setting(Integer(minimum=1), default=None)
    fairness_key: str = setting(Text(), default="")
    fairness_weight: float | None = setting(Number(minimum=0), default=None)


_NAME = Text(empty=False)
_INTENT = Word(("unspecified", "compatible", "default"))

ACTIVITY_OPTIONS: dict[str, ValueType] = {
    "start_to_close_timeout": CallDuration(),
    "schedule_to_close_timeout": CallDuration(),
    "schedule_to_start_timeout": CallDuration(),
    "heartbeat_timeout": CallDuration(),
    "id": _NAME,
    "task_queue": _NAME,
    "wait_for_cancellation": Bool(),
    "disable_eager_execution": Bool(),
    "retry_policy": Record(RetryOptions),
    "versioning_intent": _INTENT,
    "summary": Text(),
    "priority": Record(PriorityOptions),
}

WORKFLOW_OPTIONS: dict[str, ValueType] = {
    "id": _NAME,
    "task_queue": _NAME,
    "execution_timeout": CallDuration(),
    "run_timeout": CallDuration(),
    "task_timeout": CallDuration(),
    "start_delay": CallDuration(),
    "id_conflict_policy": Word(("use_existing", "fail", "terminate_existing")),
    "id_reuse_policy": Word(
        ("allow_duplicate", "allow_duplicate_failed_only", "reject_duplicate", "terminate_if_running")
    ),
    "execution_error_when_already_started": Bool(),
    "retry_policy": Record(RetryOptions),
    "cron_schedule": Text(),
    "memo": MapOf(Anything()),
    "search_attributes": MapOf(Anything()),
    "typed_search_attributes": MapOf(Anything()),
    "enable_eager_start": Bool(),
    "parent_close_policy": Word(("terminate", "abandon", "request_cancel")),
    "wait_for_cancellation": Bool(),
    "namespace": _NAME,
    "summary": Text(),
    "static_summary": Text(),
    "details": Text(),
    "static_details": Text(),
    "versioning_override": Anything(),
    "versioning_intent": _INTENT,
    "priority": Record(PriorityOptions),
}

FAMILIES: dict[Family, dict[str, ValueType]] = {"activity": ACTIVITY_OPTIONS, "workflow": WORKFLOW_OPTIONS}


def split_option(key: str) -> tuple[Family, str] | None:
    """Family and name of an option key (``activity.X``, ``temporal.activity.X`` …), None for keys of no family."""
    family, dot, name = key.removeprefix("temporal.").partition(".")
    if dot and family == "activity":
        return "activity", name
    if dot and family == "workflow":
        return "workflow", name
    return None


@dataclass(frozen=True)
class CallOptions:
    """``meta.options``: default call options; keys of the ``activity`` and ``workflow`` families are checked.

    Other keys are free, as in the reference. The result is plain data under the keys as written.
    """

    family: Family

    def decode(self, node: Node, scope: Scope) -> dict[str, Any]:
        if not isinstance(node.value, dict):
            raise Mismatch("has the wrong type", expected="a map")
        failed = [key for key, value in node.value.items() if not self._accepts(key, value, scope.at(key))]
        if failed:
            raise Rejected
        names = {option[1]: key for key in node.value if (option := split_option(key)) and option[0] == "workflow"}
        if "cron_schedule" in names and "start_delay" in names:
            scope.error("cron_schedule and start_delay exclude each other", node.value[names["start_delay"]].line)
            raise Rejected
        options: dict[str, Any] = Anything().decode(node, scope)
        return options

    def _accepts(self, key: str, value: Node, scope: Scope) -> bool:
        option = split_option(key)
        if option is None:
            self._suspect(key, value, scope)
            return not value.broken
        family, name = option
        known = FAMILIES[family]
        if name not in known:
            scope.error(f"unknown {family} option", value.line, hint=did_you_mean(name, known))
            return False
        if family != self.family:
            scope.warning(f"{family} options have no effect on a {scope.kind} entry", value.line)
        try:
            if not value.broken:
                known[name].decode(value, scope)
            return not value.broken
        except Mismatch as problem:
            scope.mismatch(problem, value)
        except Rejected:
            pass
        return False

    def _suspect(self, key: str, value: Node, scope: Scope) -> None:
        # An option without its family would be ignored in silence, and a timeout that is not there is found late.
        if key in FAMILIES[self.family]:
            scope.warning("has no effect without its family", value.line, hint=f"write {self.family}.{key}")
        elif (head := key.partition(".")[0]) != key and (guess := nearest(head, ("activity", "workflow", "temporal"))):
            scope.warning("unknown option family, it has no effect", value.line, hint=f"did you mean {guess}?")
