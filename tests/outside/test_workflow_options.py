"""Start options as arguments of the SDK, whoever read them (workflows.md 3; decisions 24, 32 and 35)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.common import (
    PinnedVersioningOverride,
    Priority,
    RetryPolicy,
    SearchAttributeKey,
    WorkerDeploymentVersion,
)

from fleet.activity import payloads
from fleet.modules import RequestFailed
from fleet.process.workflow_options import entry_options, start_arguments


def test_options_of_entries_in_the_one_form(bench: Any) -> None:
    options = {
        "workflow.execution_timeout": "2h",
        "temporal.workflow.execution_timeout": "1h",
        "workflow.run_timeout": 90000,
        "workflow.start_delay": "1.5ms",
        "workflow.memo": {"a": 1},
        "workflow.summary": "short",
        "workflow.retry_policy": {"initial_interval": 500, "non_retryable_error_types": "NotFound"},
        "workflow.id_conflict_policy": "Use-Existing",
        "workflow.id_reuse_policy": "RejectDuplicate",
        "other": "free",
    }
    bench.workflow("return 1", meta={"options": options})
    assert entry_options(bench.load().workflows["app:wf"]) == {
        "execution_timeout": 3600 * 10**9,
        "run_timeout": 90 * 10**9,
        "start_delay": 1_500_000,
        "memo": {"a": payloads.encode(1)},
        "summary": "short",
        "retry_policy": {"initial_interval": 500_000_000, "non_retryable_error_types": ["NOT_FOUND"]},
        "id_conflict_policy": 2,
        "id_reuse_policy": 3,
    }


def test_arguments() -> None:
    arguments = start_arguments(
        {
            "execution_timeout": 3600 * 10**9,
            "start_delay": 1,
            "summary": "short",
            "static_summary": "long wins",
            "enable_eager_start": True,
            "retry_policy": {"maximum_attempts": 3, "initial_interval": 10**9, "maximum_interval": 5 * 10**9},
            "priority": {"priority_key": 2},
            "versioning_override": {"mode": "pinned", "version": {"deployment_name": "d", "build_id": "b"}},
        },
        {},
    )
    assert arguments == {
        "execution_timeout": timedelta(hours=1),
        "start_delay": timedelta(microseconds=1),
        "cron_schedule": "",
        "static_summary": "long wins",
        "static_details": None,
        "request_eager_start": True,
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=5), maximum_attempts=3
        ),
        "priority": Priority(priority_key=2),
        "versioning_override": PinnedVersioningOverride(WorkerDeploymentVersion("d", "b")),
    }


def test_search_attributes_have_the_declared_type_else_that_of_the_value() -> None:
    given = {
        "Customer": "c-1",
        "Total": 5,
        "Ratio": 5,
        "Paid": True,
        "At": "2026-01-02T03:04:05Z",
        "Tags": ["a", "b"],
        "None": {},
        "Half": 0.5,
    }
    declared = {"Customer": "Text", "At": "Datetime", "Ratio": "Double", "None": "KeywordList"}
    found = start_arguments({"search_attributes": given}, declared)["search_attributes"]
    assert found[SearchAttributeKey.for_text("Customer")] == "c-1"
    assert found[SearchAttributeKey.for_int("Total")] == 5
    assert found[SearchAttributeKey.for_float("Ratio")] == 5
    assert found[SearchAttributeKey.for_bool("Paid")] is True
    assert found[SearchAttributeKey.for_datetime("At")] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert found[SearchAttributeKey.for_keyword_list("Tags")] == ["a", "b"]
    assert found[SearchAttributeKey.for_keyword_list("None")] == []
    assert found[SearchAttributeKey.for_float("Half")] == 0.5


@pytest.mark.parametrize(
    ("value", "declared"),
    [(True, "Int"), ("5", "Int"), (1.5, "Int"), ("soon", "Datetime"), (5, "Keyword"), ("a", "Bool"), ({"a": 1}, None)],
)
def test_search_attributes_of_another_type_are_invalid(value: Any, declared: str | None) -> None:
    with pytest.raises(RequestFailed, match="the search attribute A must be"):
        start_arguments({"search_attributes": {"A": value}}, {"A": declared} if declared else {})
