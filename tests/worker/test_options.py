"""``worker_options`` as the SDK's arguments."""

from __future__ import annotations

import dataclasses
import inspect
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    PollerBehaviorAutoscaling,
    PollerBehaviorSimpleMaximum,
    Worker,
    WorkerDeploymentConfig,
)
from worker_entries import app, worker_entry

from fleet.registry import WorkerOptions
from fleet.server import EmbeddedServer
from fleet.worker.options import DEFAULT_GRACE, WorkerOptionsError, worker_options

PINNED = {
    "deployment_name": "shop",
    "build_id": "v7",
    "use_versioning": True,
    "default_versioning_behavior": "pinned",
}

# option, value in the YAML, SDK argument, value of that
MAPPED: list[tuple[str, Any, str, Any]] = [
    ("identity", "till-1", "identity", "till-1"),
    ("max_concurrent_activity_execution_size", 7, "max_concurrent_activities", 7),
    ("max_concurrent_workflow_task_execution_size", 8, "max_concurrent_workflow_tasks", 8),
    ("max_concurrent_local_activity_execution_size", 9, "max_concurrent_local_activities", 9),
    (
        "max_concurrent_activity_task_pollers",
        3,
        "activity_task_poller_behavior",
        PollerBehaviorSimpleMaximum(3),
    ),
    (
        "max_concurrent_workflow_task_pollers",
        4,
        "workflow_task_poller_behavior",
        PollerBehaviorSimpleMaximum(4),
    ),
    ("worker_activities_per_second", 0.5, "max_activities_per_second", 0.5),
    ("worker_activities_per_second", 0, "max_activities_per_second", None),
    ("task_queue_activities_per_second", 20, "max_task_queue_activities_per_second", 20.0),
    ("sticky_schedule_to_start_timeout", "3s", "sticky_queue_schedule_to_start_timeout", timedelta(seconds=3)),
    ("worker_stop_timeout", "0s", "graceful_shutdown_timeout", timedelta()),
    ("worker_stop_timeout", "1m", "graceful_shutdown_timeout", timedelta(minutes=1)),
    ("max_heartbeat_throttle_interval", "40s", "max_heartbeat_throttle_interval", timedelta(seconds=40)),
    ("default_heartbeat_throttle_interval", "20s", "default_heartbeat_throttle_interval", timedelta(seconds=20)),
    ("local_activity_worker_only", True, "no_remote_activities", True),
    ("disable_eager_activities", True, "disable_eager_activity_execution", True),
    ("build_id", "v7", "build_id", "v7"),
]

WITHOUT_COUNTERPART: list[tuple[str, Any, str]] = [
    ("max_concurrent_session_execution_size", 5, "Go SDK only"),
    ("enable_session_worker", True, "Go SDK only"),
    ("max_concurrent_eager_activity_execution_size", 5, "per workflow task"),
    ("worker_local_activities_per_second", 5, "no rate for local activities"),
    ("deadlock_detection_timeout", "5s", "engine's own budget"),
    ("enable_logging_in_replay", True, "silent while a history is replayed"),
    ("disable_registration_aliasing", True, "exactly one name"),
]

ELSEWHERE = {"disable_workflow_worker", "deployment_name", "use_versioning", "default_versioning_behavior"}


@pytest.mark.parametrize(("option", "value", "argument", "expected"), MAPPED)
def test_an_option_with_a_counterpart(tmp_path: Path, option: str, value: Any, argument: str, expected: Any) -> None:
    settings = worker_options(worker_entry(tmp_path, **{option: value}))
    assert settings.kwargs[argument] == expected
    assert settings.warnings == []


@pytest.mark.parametrize(("option", "value", "reason"), WITHOUT_COUNTERPART)
def test_an_option_without_counterpart_is_named_in_a_warning(
    tmp_path: Path, option: str, value: Any, reason: str
) -> None:
    entry = worker_entry(tmp_path, **{option: value})
    settings = worker_options(entry)
    [warning] = settings.warnings
    assert warning.startswith(f"_index.yaml:{entry.line}: entry app:worker: worker_options.{option} has no effect: ")
    assert reason in warning
    assert settings.kwargs == worker_options(worker_entry(tmp_path)).kwargs


def test_no_option_is_forgotten() -> None:
    known = {field.name for field in dataclasses.fields(WorkerOptions)} - {"explicit"}
    assert known == {row[0] for row in MAPPED} | {row[0] for row in WITHOUT_COUNTERPART} | ELSEWHERE


def test_the_defaults(tmp_path: Path) -> None:
    settings = worker_options(worker_entry(tmp_path), default_build_id="hash")
    assert settings.kwargs == {
        "task_queue": "orders",
        "identity": None,
        "max_concurrent_activities": 1000,
        "max_concurrent_workflow_tasks": 1000,
        "max_concurrent_local_activities": 1000,
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(minimum=1, maximum=20, initial=5),
        "workflow_task_poller_behavior": PollerBehaviorAutoscaling(minimum=1, maximum=20, initial=5),
        "max_activities_per_second": None,
        "max_task_queue_activities_per_second": None,
        "graceful_shutdown_timeout": DEFAULT_GRACE,
        "disable_eager_activity_execution": False,
        "no_remote_activities": False,
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=5),
        "build_id": "hash",
    }
    assert settings.warnings == []
    assert settings.workflows and settings.remote_activities
    assert set(settings.kwargs) <= set(inspect.signature(Worker).parameters)


def test_the_prefix_of_the_client_is_part_of_the_queue(tmp_path: Path) -> None:
    worker = app(tmp_path, client={"tq_prefix": "test-"}).workers["app:worker"]
    assert worker_options(worker).kwargs["task_queue"] == "test-orders"


def test_what_the_worker_serves(tmp_path: Path) -> None:
    settings = worker_options(worker_entry(tmp_path, disable_workflow_worker=True))
    assert (settings.workflows, settings.remote_activities) == (False, True)
    settings = worker_options(worker_entry(tmp_path, local_activity_worker_only=True))
    assert (settings.workflows, settings.remote_activities) == (True, False)


def test_a_deployment(tmp_path: Path) -> None:
    settings = worker_options(worker_entry(tmp_path, **PINNED))
    assert settings.kwargs["deployment_config"] == WorkerDeploymentConfig(
        WorkerDeploymentVersion("shop", "v7"), True, VersioningBehavior.PINNED
    )
    assert "build_id" not in settings.kwargs, "the SDK takes one of the two"
    upgrade = {**PINNED, "default_versioning_behavior": "auto_upgrade"}
    config = worker_options(worker_entry(tmp_path, **upgrade)).kwargs["deployment_config"]
    assert config.default_versioning_behavior == VersioningBehavior.AUTO_UPGRADE


def test_a_version_that_only_names_the_code(tmp_path: Path) -> None:
    settings = worker_options(worker_entry(tmp_path, deployment_name="shop"), default_build_id="hash")
    assert settings.kwargs["deployment_config"] == WorkerDeploymentConfig(
        WorkerDeploymentVersion("shop", "hash"), False
    )


@pytest.mark.parametrize("missing", ["deployment_name", "build_id", "default_versioning_behavior"])
def test_versioning_needs_a_whole_version(tmp_path: Path, missing: str) -> None:
    options = {name: value for name, value in PINNED.items() if name != missing}
    with pytest.raises(WorkerOptionsError, match=f"entry app:worker: use_versioning is on, but {missing} not given"):
        worker_options(worker_entry(tmp_path, **options))


def test_a_versioning_behavior_without_versioning(tmp_path: Path) -> None:
    settings = worker_options(worker_entry(tmp_path, **{**PINNED, "use_versioning": False}))
    assert settings.kwargs["deployment_config"].default_versioning_behavior == VersioningBehavior.UNSPECIFIED
    assert "default_versioning_behavior has no effect: it needs use_versioning: true" in settings.warnings[0]


@activity.defn
async def nothing() -> None:
    pass


@pytest.mark.asyncio
async def test_the_sdk_takes_every_combination(tmp_path: Path) -> None:
    everything = {row[0]: row[1] for row in MAPPED + WITHOUT_COUNTERPART if row[0] != "local_activity_worker_only"}
    async with EmbeddedServer.start() as server:
        for options in ({}, everything, {**everything, **PINNED}, {"deployment_name": "shop"}):
            settings = worker_options(worker_entry(tmp_path, **options))
            async with Worker(server.client, activities=[nothing], **settings.kwargs):
                pass
