"""Options of entries as the arguments of a start: every one that the SDK has, in both spellings."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fleet_command import CHARGE, INDEX
from temporalio.common import (
    Priority,
    RetryPolicy,
    SearchAttributeKey,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

import fleet
from fleet.worker.dev import embedded_server, serve_embedded
from fleet.worker.follow import Follower, Progress
from fleet.worker.start import start_options, start_run


def test_options_become_arguments() -> None:
    kwargs = start_options(
        {
            "execution_timeout": "1h",
            "run_timeout": 90000,
            "task_timeout": "5s",
            "start_delay": "10ms",
            "cron_schedule": "@daily",
            "memo": {"a": 1},
            "summary": "short",
            "details": "long",
            "enable_eager_start": True,
            "retry_policy": {"maximum_attempts": 3, "non_retryable_error_types": "INVALID"},
            "priority": {"priority_key": 2},
            "id_conflict_policy": "Use-Existing",
            "id_reuse_policy": "RejectDuplicate",
            "search_attributes": {"Customer": "c-1", "Total": 5, "Paid": True, "At": "2026-01-02T03:04:05+00:00"},
        },
        {"Customer": "Text", "At": "Datetime"},
    )
    attributes = kwargs.pop("search_attributes")
    assert attributes[SearchAttributeKey.for_text("Customer")] == "c-1"
    assert attributes[SearchAttributeKey.for_int("Total")] == 5
    assert attributes[SearchAttributeKey.for_bool("Paid")] is True
    assert attributes[SearchAttributeKey.for_datetime("At")] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert kwargs == {
        "execution_timeout": timedelta(hours=1),
        "run_timeout": timedelta(seconds=90),
        "task_timeout": timedelta(seconds=5),
        "start_delay": timedelta(milliseconds=10),
        "cron_schedule": "@daily",
        "memo": {"a": 1},
        "static_summary": "short",
        "static_details": "long",
        "request_eager_start": True,
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=1),
            backoff_coefficient=2.0,
            maximum_attempts=3,
            non_retryable_error_types=["INVALID"],
        ),
        "priority": Priority(priority_key=2),
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
    }


async def test_a_run_has_the_options_of_its_entry(tmp_path: Path) -> None:
    id = f"from-options-{uuid.uuid4().hex[:6]}"
    ids = f"workflow.id: wrong, temporal.workflow.id: {id}"
    options = f"{{{ids}, workflow.execution_timeout: 1m, workflow.memo: {{a: 1}}}}"
    meta = "meta: {temporal: {workflow: {worker: worker}}"
    (tmp_path / "_index.yaml").write_text(INDEX.replace(meta, f"{meta}, options: {options}"))
    (tmp_path / "order.lua").write_text("return { main = function() time.sleep('1s') return 7 end }\n")
    (tmp_path / "charge.lua").write_text(CHARGE)
    app = fleet.load_app(tmp_path)
    async with embedded_server(app) as server, serve_embedded(app, server) as serving:
        handle = await start_run(serving.clients["shop:temporal"], app, app.workflows["shop:order"], [])
        assert handle.id == id
        described = await handle.describe()
        assert await described.memo() == {"a": 1}
        assert described.raw_description.execution_config.workflow_run_timeout.ToTimedelta() <= timedelta(minutes=1)
        seen: list[Progress] = []
        ended = await Follower(handle, seen.append).ended()
        assert ended.result is not None
        assert ended.result.data == b"7"
        assert {progress.status for progress in seen} == {"RUNNING"}
        assert all(progress.task_failure is None for progress in seen)
