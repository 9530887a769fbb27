"""What scripts give as start options, as Python gets it (lua_modules/workflow_starts.lua; decision 32)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fleet import _core
from fleet._core import LuaError
from fleet.activity import payloads
from fleet.modules import HOST, RequestFailed
from fleet.process.workflow_options import entry_options, start_arguments

ENGINE = """
local core, base = ...
local host = { workflow = false }
local loader = core.module("loader")(core, base, host)
base.errors = loader.module("errors")
base.json, base.time = loader.module("json"), loader.module("time")
local options, err
return {
    apply = function()
        local given = core.chunk("main", base)()
        options, err = loader.module("workflow_starts").resolve("app:wf", given.place, given.options)
    end,
    flush = function() return { options = options, error = err } end,
    failed = function(thrown) err = base.tostring(thrown) end,
}
"""
HOSTS: dict[str, Callable[..., Any]] = {
    **HOST,
    "now": lambda: 1_767_323_045_000_000_000,
    "local_zone": lambda: None,
    "workflow_entry_options": lambda id, place: (
        {"temporal.workflow.run_timeout": "1h", "workflow.summary": "of the entry"} if place == "app:worker" else None
    ),
}

_core.set_modules({"starts_engine": _core.compile_lua(ENGINE.encode(), "@starts_engine")})


def resolve(options: str, place: str = "app:worker") -> Any:
    """The options that Python gets of a Lua table, or the LuaError."""
    state = _core.LuaState(engine="starts_engine", host=lambda name, *args: HOSTS[name](*args))
    text = f'return {{ place = "{place}", options = {options} }}'
    state.set_program(_core.Program({"main": _core.compile_lua(text.encode(), "@options.lua")}, None))
    out = state.step("run")
    state.close()
    return out.get("error") or out.get("options")


def test_both_spellings_and_the_options_of_the_entry() -> None:
    assert resolve("nil") == {"run_timeout": 3600 * 10**9, "summary": "of the entry"}
    assert resolve("{['workflow.summary'] = 'own', ['temporal.workflow.run_timeout'] = 5}") == {
        "run_timeout": 5_000_000,
        "summary": "own",
    }
    assert resolve("{['temporal.workflow.id'] = 'long', ['workflow.id'] = 'short'}", "queue") == {"id": "long"}


def test_every_option() -> None:
    found = resolve(
        """{
        ["temporal.workflow.id"] = "order-123",
        ["temporal.workflow.task_queue"] = "q",
        ["temporal.workflow.namespace"] = "other",
        ["temporal.workflow.execution_timeout"] = "24h",
        ["temporal.workflow.start_delay"] = time.parse_duration("5m"),
        ["temporal.workflow.id_conflict_policy"] = "Use-Existing",
        ["temporal.workflow.id_reuse_policy"] = "reject_duplicate",
        ["temporal.workflow.execution_error_when_already_started"] = false,
        ["temporal.workflow.enable_eager_start"] = true,
        ["temporal.workflow.retry_policy"] = {maximum_attempts = 3, non_retryable_error_types = {"NotFound", "X"}},
        ["temporal.workflow.memo"] = {source = "api", empty = json.object{}},
        ["temporal.workflow.search_attributes"] = {tags = {"a", "b"}, n = 5, at = time.unix(0, 0):utc()},
        ["temporal.workflow.versioning_override"] = {mode = "pinned", version = {deployment_name = "d", build_id = "b"}},
        ["temporal.workflow.priority"] = {priority_key = 2},
        ["temporal.workflow.parent_close_policy"] = "terminate",
        ["temporal.workflow.wait_for_cancellation"] = true,
    }""",
        "queue",
    )
    assert not isinstance(found, LuaError), found.message
    memo = found.pop("memo")
    arguments = start_arguments({**found, "memo": memo}, {"at": "Datetime"})
    assert {name: value.payload.SerializeToString() for name, value in arguments["memo"].items()} == {
        "source": payloads.encode("api"),
        "empty": payloads.encode({}),
    }
    assert arguments["retry_policy"].non_retryable_error_types == ["NOT_FOUND", "X"]
    assert arguments["retry_policy"].maximum_attempts == 3
    assert len(arguments["search_attributes"]) == 3
    assert found["id_conflict_policy"] == 2
    assert found["id_reuse_policy"] == 3
    assert found["execution_error_when_already_started"] is False
    assert found["start_delay"] == 300 * 10**9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("{['workflow.id'] = ''}", "workflow.id: expected a non-empty string"),
        ("{['workflow.start_dely'] = '1s'}", "did you mean workflow.start_delay?"),
        ("{['workflow.id_conflict_policy'] = 'maybe'}", '"fail"'),
        ("{['workflow.enable_eager_start'] = 1}", "expected a boolean"),
        ("{['workflow.run_timeout'] = -1}", "a duration string or milliseconds number"),
        ("{['workflow.search_attributes'] = {[1] = 'x'}}", "string keys"),
        ("{['workflow.search_attributes'] = {a = function() end}}", "search_attributes.a"),
        (
            "{['workflow.retry_policy'] = {maximum_interval = 5}}",
            "retry_policy.maximum_interval: expected at least the initial_interval, got 5",
        ),
        ("{['workflow.memo'] = {a = function() end}}", "JSON can hold"),
    ],
)
def test_wrong_options_are_invalid(options: str, words: str) -> None:
    error = resolve(options)
    assert isinstance(error, LuaError)
    assert error.kind == "INVALID"
    assert words in error.message


def test_lua_and_yaml_agree(bench: Any) -> None:
    """The options of an entry are the same whether a script or the command line starts it."""
    given = {
        "workflow.execution_timeout": "90m",
        "workflow.task_timeout": 1500,
        "workflow.id_conflict_policy": "terminate_existing",
        "workflow.memo": {"a": {"b": [1, "x"]}},
        "workflow.retry_policy": {"initial_interval": "2s", "maximum_interval": 9000, "backoff_coefficient": 1.5},
        "workflow.priority": {"priority_key": 3, "fairness_key": "f"},
        "workflow.search_attributes": {"A": ["x"], "B": 1},
        "workflow.details": "text",
    }
    bench.search_attributes = {"A": "KeywordList", "B": "Int"}
    bench.workflow("return 1", meta={"options": given})
    entry = bench.load().workflows["app:wf"]
    HOSTS["workflow_entry_options"] = lambda id, place: entry.options
    of_lua, of_yaml = resolve("nil"), entry_options(entry)
    assert start_arguments(of_lua, {}) == start_arguments(of_yaml, {})
    assert of_lua["id_conflict_policy"] == of_yaml["id_conflict_policy"]
    with pytest.raises(RequestFailed):
        start_arguments({**of_lua, "cron_schedule": "@daily", "start_delay": 1}, {})
