"""Starting a run of a workflow entry from outside, with the entry's own options (spec/workflows.md, section 3)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    Priority,
    RawValue,
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from fleet.registry import App, WorkflowEntry, parse_duration
from fleet.registry.call_options import split_option

E = TypeVar("E", bound=IntEnum)

_DURATIONS = {
    "execution_timeout": "execution_timeout",
    "run_timeout": "run_timeout",
    "task_timeout": "task_timeout",
    "start_delay": "start_delay",
}
_PLAIN = {
    "cron_schedule": "cron_schedule",
    "memo": "memo",
    "static_summary": "static_summary",
    "summary": "static_summary",
    "static_details": "static_details",
    "details": "static_details",
    "enable_eager_start": "request_eager_start",
}
_KEYS: dict[str, Callable[[str], SearchAttributeKey[Any]]] = {
    "Text": SearchAttributeKey.for_text,
    "Keyword": SearchAttributeKey.for_keyword,
    "Int": SearchAttributeKey.for_int,
    "Double": SearchAttributeKey.for_float,
    "Bool": SearchAttributeKey.for_bool,
    "Datetime": SearchAttributeKey.for_datetime,
    "KeywordList": SearchAttributeKey.for_keyword_list,
}


class AlreadyRunning(Exception):
    """A run with the workflow id exists; the text names it and says what to do."""


async def start_run(
    client: Client, app: App, entry: WorkflowEntry, arguments: Sequence[Payload], *, workflow_id: str = ""
) -> WorkflowHandle[Any, RawValue]:
    """Start `entry` on the task queue of its worker.

    arguments: one payload per Lua argument. workflow_id: in place of the entry's own; generated when neither is given.
    Returns a handle whose result is a RawValue. Raises AlreadyRunning, temporalio.service.RPCError.
    """
    assert entry.worker is not None, "the caller has seen to it that a worker is named"
    worker = app.workers[entry.worker]
    options = _options(entry)
    id = workflow_id or options.pop("id", "") or f"{entry.id}-{uuid.uuid4()}"
    kwargs = start_options(options, app.clients[worker.client].search_attributes)
    try:
        return await client.start_workflow(
            entry.type_name,
            args=[RawValue(payload) for payload in arguments],
            id=id,
            task_queue=options.get("task_queue") or worker.task_queue,
            result_type=RawValue,
            **kwargs,
        )
    except WorkflowAlreadyStartedError as error:
        raise AlreadyRunning(
            f"a workflow with the id {id} already exists (run {error.run_id})\n"
            "    choose another --id, or leave it out to get a generated one"
        ) from None


def start_options(options: Mapping[str, Any], attribute_types: Mapping[str, str]) -> dict[str, Any]:
    """Options as ``meta.options`` and Lua spell them (without their family) as arguments of the SDK's start_workflow.

    attribute_types: the declared search attributes, name to type.
    """
    kwargs: dict[str, Any] = {}
    for name, value in options.items():
        if name in _DURATIONS:
            kwargs[_DURATIONS[name]] = _duration(value)
        elif name in _PLAIN:
            kwargs.setdefault(_PLAIN[name], value)
    if "retry_policy" in options:
        kwargs["retry_policy"] = _retry_policy(options["retry_policy"])
    if "priority" in options:
        kwargs["priority"] = Priority(**options["priority"])
    attributes = {**options.get("search_attributes", {}), **options.get("typed_search_attributes", {})}
    if attributes:
        kwargs["search_attributes"] = TypedSearchAttributes(
            [_attribute(name, value, attribute_types.get(name)) for name, value in attributes.items()]
        )
    if "id_conflict_policy" in options:
        kwargs["id_conflict_policy"] = _named(WorkflowIDConflictPolicy, options["id_conflict_policy"])
    if "id_reuse_policy" in options:
        kwargs["id_reuse_policy"] = _named(WorkflowIDReusePolicy, options["id_reuse_policy"])
    return kwargs


def _options(entry: WorkflowEntry) -> dict[str, Any]:
    """The workflow options of `meta.options` by bare name; the long spelling wins (decision 32)."""
    found: dict[str, Any] = {}
    for key in sorted(entry.options, key=lambda key: key.startswith("temporal.")):
        option = split_option(key)
        if option is not None and option[0] == "workflow":
            found[option[1]] = entry.options[key]
    return found


def _duration(value: Any) -> timedelta:
    return parse_duration(value) if isinstance(value, str) else timedelta(milliseconds=value)


def _named(enum: type[E], word: str) -> E:
    """The member of a name in any case, with `-` or `_` or neither; the registry has seen that there is one."""
    folded = word.upper().replace("-", "").replace("_", "")
    return next(member for member in enum if member.name.replace("_", "") == folded)


def _retry_policy(given: Mapping[str, Any]) -> RetryPolicy:
    kinds = given.get("non_retryable_error_types")
    return RetryPolicy(
        initial_interval=_duration(given.get("initial_interval", 1000)),
        backoff_coefficient=float(given.get("backoff_coefficient", 2.0)),
        maximum_interval=_duration(given["maximum_interval"]) if given.get("maximum_interval") else None,
        maximum_attempts=int(given.get("maximum_attempts", 0)),
        non_retryable_error_types=[kinds] if isinstance(kinds, str) else kinds,
    )


def _attribute(name: str, value: Any, declared: str | None) -> SearchAttributePair[Any]:
    type = declared or _guess(value)
    if type == "Datetime" and isinstance(value, str):
        value = datetime.fromisoformat(value)
    if type == "Int" and isinstance(value, float):
        value = int(value)
    key: SearchAttributeKey[Any] = _KEYS[type](name)
    return SearchAttributePair(key, value)


def _guess(value: Any) -> str:
    if isinstance(value, bool):
        return "Bool"
    if isinstance(value, int):
        return "Int"
    if isinstance(value, float):
        return "Int" if value.is_integer() else "Double"
    return "KeywordList" if isinstance(value, list) else "Keyword"
