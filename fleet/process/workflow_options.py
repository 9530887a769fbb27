"""Start options of workflows as arguments of the SDK (spec/workflows.md, section 3; decisions 24, 32 and 35).

Options arrive by bare name in one form, whoever read them, lua_modules/workflow_options.lua or `entry_options`:
durations as nanoseconds, enumerations as Temporal's numbers, memo values as serialized payloads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import (
    AutoUpgradeVersioningOverride,
    PinnedVersioningOverride,
    Priority,
    RawValue,
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    VersioningOverride,
    WorkerDeploymentVersion,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from fleet.activity import payloads
from fleet.modules import RequestFailed
from fleet.registry import WorkflowEntry, parse_duration
from fleet.registry.call_options import split_option

from .workflow_failure import canonical

CONFLICT_POLICIES = {"fail": 1, "use_existing": 2, "terminate_existing": 3}
REUSE_POLICIES = {
    "allow_duplicate": 1,
    "allow_duplicate_failed_only": 2,
    "reject_duplicate": 3,
    "terminate_if_running": 4,
}

_DURATIONS = ("execution_timeout", "run_timeout", "task_timeout", "start_delay")
_TERMINATE_IF_RUNNING = 4

_KEYS: Mapping[str, Any] = {
    "Text": (SearchAttributeKey.for_text, (str,)),
    "Keyword": (SearchAttributeKey.for_keyword, (str,)),
    "Int": (SearchAttributeKey.for_int, (int,)),
    "Double": (SearchAttributeKey.for_float, (float, int)),
    "Bool": (SearchAttributeKey.for_bool, (bool,)),
    "Datetime": (SearchAttributeKey.for_datetime, (datetime,)),
    "KeywordList": (SearchAttributeKey.for_keyword_list, (list,)),
}


@dataclass(frozen=True)
class Policies:
    """What happens when the workflow id is in use: by an open run, and by a closed one."""

    conflict: WorkflowIDConflictPolicy
    reuse: WorkflowIDReusePolicy


def entry_options(entry: WorkflowEntry) -> dict[str, Any]:
    """The options of an entry's ``meta.options``, which the registry has checked."""
    found: dict[str, Any] = {}
    # The long spelling wins (decision 32).
    for key in sorted(entry.options, key=lambda key: key.startswith("temporal.")):
        option = split_option(key)
        if option is not None and option[0] == "workflow":
            found[option[1]] = _normal(option[1], entry.options[key])
    return found


def policies(options: Mapping[str, Any], *, named: bool) -> Policies:
    """The policies of a start whose workflow id was given by the caller (`named`) or generated.

    Raises RequestFailed (INVALID) for the combination that the server refuses.
    """
    given = options.get("id_conflict_policy")
    error_if_started = options.get("execution_error_when_already_started")
    reuse = options.get("id_reuse_policy", 0)
    if reuse == _TERMINATE_IF_RUNNING:
        if given is not None or error_if_started:
            raise RequestFailed(
                "INVALID",
                "the options id_reuse_policy = terminate_if_running and id_conflict_policy (or"
                " execution_error_when_already_started) exclude each other: give id_conflict_policy only",
            )
        # The server's own word for it is deprecated, and refused beside a conflict policy.
        return Policies(WorkflowIDConflictPolicy.TERMINATE_EXISTING, WorkflowIDReusePolicy.ALLOW_DUPLICATE)
    if given is None:
        # A generated id is nobody else's, and "fail" would bar its startup messages from a signal-with-start.
        use_existing = not named or not error_if_started
        given = CONFLICT_POLICIES["use_existing" if use_existing else "fail"]
    elif given == CONFLICT_POLICIES["use_existing"] and error_if_started:
        given = CONFLICT_POLICIES["fail"]
    return Policies(
        WorkflowIDConflictPolicy(given), WorkflowIDReusePolicy(reuse or WorkflowIDReusePolicy.ALLOW_DUPLICATE)
    )


def start_arguments(options: Mapping[str, Any], attribute_types: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of the SDK's start_workflow for options in the one form; ids and policies are not among them.

    attribute_types: the declared search attributes, name to type. Options that concern children only
    (parent_close_policy, wait_for_cancellation, versioning_intent) have no effect on a start from outside.
    Raises RequestFailed (INVALID).
    """
    if options.get("cron_schedule") and options.get("start_delay"):
        raise RequestFailed("INVALID", "the options cron_schedule and start_delay exclude each other")
    arguments: dict[str, Any] = {
        name: timedelta(microseconds=math.ceil(options[name] / 1000)) for name in _DURATIONS if name in options
    }
    arguments["cron_schedule"] = options.get("cron_schedule", "")
    arguments["static_summary"] = options.get("static_summary", options.get("summary"))
    arguments["static_details"] = options.get("static_details", options.get("details"))
    arguments["request_eager_start"] = options.get("enable_eager_start", False)
    if options.get("memo"):
        arguments["memo"] = {name: RawValue(Payload.FromString(_raw(value))) for name, value in options["memo"].items()}
    if "retry_policy" in options:
        arguments["retry_policy"] = _retry_policy(options["retry_policy"])
    if options.get("priority"):
        arguments["priority"] = Priority(**options["priority"])
    if "versioning_override" in options:
        arguments["versioning_override"] = _versioning_override(options["versioning_override"])
    attributes = {**_table(options, "search_attributes"), **_table(options, "typed_search_attributes")}
    if attributes:
        arguments["search_attributes"] = TypedSearchAttributes(
            [_attribute(name, value, attribute_types.get(name)) for name, value in sorted(attributes.items())]
        )
    return arguments


def _normal(name: str, value: Any) -> Any:
    """A value of ``meta.options`` in the one form."""
    if name in _DURATIONS:
        return _nanoseconds(value)
    if name == "id_conflict_policy":
        return _number(CONFLICT_POLICIES, value)
    if name == "id_reuse_policy":
        return _number(REUSE_POLICIES, value)
    if name == "memo":
        return {key: payloads.encode(item) for key, item in value.items()}
    if name == "retry_policy":
        policy = {**value}
        for interval in ("initial_interval", "maximum_interval"):
            if interval in policy:
                policy[interval] = _nanoseconds(policy[interval])
        kinds = policy.get("non_retryable_error_types", [])
        policy["non_retryable_error_types"] = [
            canonical(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)
        ]
        return policy
    return value


def _nanoseconds(value: Any) -> int:
    """Of a duration string or a number of milliseconds."""
    duration = parse_duration(value) if isinstance(value, str) else timedelta(milliseconds=value)
    return duration // timedelta(microseconds=1) * 1000


def _number(names: Mapping[str, int], word: str) -> int:
    """The number of a name in any case, with `-` or `_` or neither; the registry has seen that there is one."""
    folded = word.lower().replace("-", "").replace("_", "")
    return next(number for name, number in names.items() if name.replace("_", "") == folded)


def _retry_policy(given: Mapping[str, Any]) -> RetryPolicy:
    initial, maximum = given.get("initial_interval", 1e9), given.get("maximum_interval")
    attempts = int(given.get("maximum_attempts", 0))
    if maximum and maximum < initial and attempts != 1:
        raise RequestFailed("INVALID", "the option retry_policy.maximum_interval must be at least the initial_interval")
    return RetryPolicy(
        initial_interval=timedelta(microseconds=math.ceil(initial / 1000)),
        backoff_coefficient=float(given.get("backoff_coefficient", 2.0)),
        maximum_interval=timedelta(microseconds=math.ceil(maximum / 1000)) if maximum else None,
        maximum_attempts=attempts,
        non_retryable_error_types=_items(given.get("non_retryable_error_types")) or None,
    )


def _versioning_override(given: Any) -> VersioningOverride:
    if isinstance(given, str) and given.lower().replace("-", "_") == "auto_upgrade":
        return AutoUpgradeVersioningOverride()
    if isinstance(given, Mapping) and given.get("mode") == "pinned":
        version = given.get("version")
        if isinstance(version, Mapping):
            name, build = version.get("deployment_name"), version.get("build_id")
            if isinstance(name, str) and name and isinstance(build, str) and build:
                return PinnedVersioningOverride(WorkerDeploymentVersion(name, build))
    raise RequestFailed(
        "INVALID",
        'the option versioning_override must be "auto_upgrade" or'
        ' {mode = "pinned", version = {deployment_name = ..., build_id = ...}}',
    )


def _attribute(name: str, value: Any, declared: str | None) -> SearchAttributePair[Any]:
    type = declared or _guess(name, value)
    key, classes = _KEYS[type]
    if type == "Datetime" and isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _wrong_attribute(name, "a time such as 2026-01-02T03:04:05Z") from None
    if type == "Int" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if type == "Double" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type == "KeywordList":
        value = _items(value)
        for index, item in enumerate(value):
            if not isinstance(item, str):
                raise _wrong_attribute(name, f"a list of strings, item {index} is none")
    if not isinstance(value, classes) or (isinstance(value, bool) and type != "Bool"):
        raise _wrong_attribute(name, f"of the type {type}")
    return SearchAttributePair(key(name), value)


def _guess(name: str, value: Any) -> str:
    """The type of an attribute that is not declared, by its value (spec/workflows.md, section 1)."""
    if isinstance(value, bool):
        return "Bool"
    if isinstance(value, int):
        return "Int"
    if isinstance(value, float):
        return "Int" if value.is_integer() else "Double"
    if isinstance(value, str):
        return "Keyword"
    if isinstance(value, list):
        return "KeywordList"
    raise _wrong_attribute(name, "a string, a boolean, a number or a list of strings")


def _wrong_attribute(name: str, expected: str) -> RequestFailed:
    return RequestFailed("INVALID", f"the search attribute {name} must be {expected}")


def _table(options: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table of options; an empty one is a list when it was written in YAML or Lua as ``{}`` or ``[]``."""
    table = options.get(name) or {}
    if not isinstance(table, Mapping):
        raise RequestFailed("INVALID", f"the option {name} must be a table with string keys")
    return table


def _items(value: Any) -> Sequence[Any]:
    """A list; a Lua list with its length in ``n``, or an empty one, arrives as a dict."""
    if isinstance(value, Mapping):
        return [value[index] for index in range(1, value.get("n", 0) + 1)]
    return list(value) if isinstance(value, list | tuple) else []


def _raw(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
