"""``meta.options`` (activities.md section 3, decisions.md 32)."""

from __future__ import annotations

import pytest
from registry_sandbox import Sandbox


def function(app: Sandbox, options: str) -> None:
    app.entries(f"- {{name: f, kind: function.lua, method: m, source: return 1, meta: {{options: {options}}}}}")


def workflow(app: Sandbox, options: str) -> None:
    app.entries(
        "- {name: c, kind: temporal.client, address: 'x:1', search_attributes: {A: Keyword}}\n"
        "- {name: k, kind: temporal.worker, client: c, task_queue: q}\n"
        "- name: w\n  kind: workflow.lua\n  source: return 1\n"
        f"  meta: {{temporal: {{workflow: {{worker: k}}}}, options: {options}}}"
    )


def test_every_activity_option_is_taken_as_written(app: Sandbox) -> None:
    function(
        app,
        """{
        activity.start_to_close_timeout: 5s, activity.schedule_to_close_timeout: 1500,
        temporal.activity.schedule_to_start_timeout: 1m, activity.heartbeat_timeout: 0.5s, activity.id: x,
        activity.task_queue: q, activity.wait_for_cancellation: true, activity.disable_eager_execution: false,
        activity.versioning_intent: Default, activity.summary: s, activity.priority: {priority_key: 1},
        activity.retry_policy: {initial_interval: 100, backoff_coefficient: 1.5, maximum_interval: 10s,
          maximum_attempts: 3, non_retryable_error_types: [NOT_FOUND]},
        retry: {max_attempts: 3}}""",
    )
    loaded = app.load()
    options = loaded.functions["app:f"].options
    assert loaded.warnings == []
    assert options["activity.start_to_close_timeout"] == "5s"
    assert options["activity.schedule_to_close_timeout"] == 1500
    assert options["activity.retry_policy"]["non_retryable_error_types"] == ["NOT_FOUND"]
    assert options["retry"] == {"max_attempts": 3}


def test_every_workflow_option_is_taken_as_written(app: Sandbox) -> None:
    workflow(
        app,
        """{
        temporal.workflow.execution_timeout: 24h, workflow.run_timeout: 1h, workflow.task_timeout: 10s,
        workflow.id_conflict_policy: use-existing, workflow.id_reuse_policy: ALLOW_DUPLICATE,
        workflow.execution_error_when_already_started: true, workflow.cron_schedule: "* * * * *",
        workflow.memo: {a: 1}, workflow.search_attributes: {A: x}, workflow.enable_eager_start: true,
        workflow.parent_close_policy: abandon, workflow.namespace: n, workflow.static_summary: s,
        workflow.retry_policy: {non_retryable_error_types: A}, workflow.versioning_override: auto_upgrade}""",
    )
    loaded = app.load()
    assert loaded.warnings == []
    assert loaded.workflows["app:w"].options["workflow.id_conflict_policy"] == "use-existing"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("5", "meta.options: has the wrong type (got 5, expected a map)"),
        (
            "{activity.start_to_close_timout: 5s}",
            "activity.start_to_close_timout: unknown activity option\n    did you mean start_to_close_timeout?",
        ),
        ("{temporal.activity.tsk_queue: q}", "unknown activity option\n    did you mean task_queue?"),
        (
            "{activity.heartbeat_timeout: [1]}",
            "activity.heartbeat_timeout: must be a duration string or milliseconds number (got a list)",
        ),
        ("{activity.heartbeat_timeout: 5}", ""),
        ("{activity.heartbeat_timeout: -5}", "must be 0 or more milliseconds (got -5)"),
        ("{activity.heartbeat_timeout: soon}", 'is not a duration (got "soon"'),
        ("{activity.task_queue: ''}", "task queue cannot be empty"),
        ("{activity.wait_for_cancellation: 1}", "(got 1, expected true or false)"),
        (
            "{activity.retry_policy: {maximum_attempts: 1.5}}",
            "retry_policy.maximum_attempts: has the wrong type (got 1.5",
        ),
        ("{activity.retry_policy: {backoff_coefficient: 0.5}}", "backoff coefficient must be at least 1 (got 0.5)"),
        ("{activity.retry_policy: {non_retryable_error_types: [1]}}", "has the wrong type"),
        ("{activity.retry_policy: 3}", "activity.retry_policy: has the wrong type (got 3, expected a map)"),
        ("{activity.priority: {priority_key: 0}}", "priority key must be at least 1 (got 0)"),
        ("{activity.versioning_intent: maybe}", "is not a known value"),
    ],
)
def test_refusals_of_activity_options(app: Sandbox, options: str, message: str) -> None:
    function(app, options)
    errors = app.errors()
    assert len(errors) == (1 if message else 0)
    assert message in "".join(errors)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{workflow.id_conflict_policy: use_exist}", "    did you mean use_existing?"),
        ("{workflow.start_dely: 5s}", "unknown workflow option\n    did you mean start_delay?"),
        (
            "{workflow.cron_schedule: '* * * * *', temporal.workflow.start_delay: 5s}",
            "cron_schedule and start_delay exclude each other",
        ),
        ("{workflow.memo: 5}", "workflow.memo: has the wrong type (got 5, expected a map)"),
    ],
)
def test_refusals_of_workflow_options(app: Sandbox, options: str, message: str) -> None:
    workflow(app, options)
    (error,) = app.errors()
    assert message in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{workflow.run_timeout: 5s}", "workflow options have no effect on a function.lua entry"),
        (
            "{start_to_close_timeout: 5s}",
            "start_to_close_timeout: has no effect without its family\n    write activity.start_to_close_timeout",
        ),
        ("{activty.start_to_close_timeout: 5s}", "unknown option family, it has no effect\n    did you mean activity?"),
        (
            "{activity.retry_policy: {max_attempts: 1}}",
            "unknown field, it has no effect\n    did you mean maximum_attempts?",
        ),
    ],
)
def test_options_without_effect_are_warnings(app: Sandbox, options: str, message: str) -> None:
    function(app, options)
    (warning,) = app.rendered()
    assert message in warning
