"""``worker_options`` of a ``temporal.worker`` entry as the SDK's arguments (spec/registry.md, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    PollerBehavior,
    PollerBehaviorAutoscaling,
    PollerBehaviorSimpleMaximum,
    WorkerDeploymentConfig,
)

from fleet.registry import WorkerEntry, WorkerOptions

DEFAULT_GRACE = timedelta(seconds=30)
"""How long activities may finish after a stop when ``worker_stop_timeout`` is not given. The reference's 0 would cut
off every activity at each deployment."""

_INITIAL_POLLERS = 5

_NO_COUNTERPART = {
    "max_concurrent_session_execution_size": "worker sessions exist in Temporal's Go SDK only",
    "enable_session_worker": "worker sessions exist in Temporal's Go SDK only",
    "max_concurrent_eager_activity_execution_size": (
        "the SDK bounds eager activities per workflow task (3), not per worker;"
        " disable_eager_activities turns them off, max_concurrent_activity_execution_size bounds them with the others"
    ),
    "worker_local_activities_per_second": (
        "the SDK has no rate for local activities; max_concurrent_local_activity_execution_size bounds how many run"
    ),
    "deadlock_detection_timeout": "an activation is bounded by the engine's own budget, which is below the SDK's 2 s",
    "enable_logging_in_replay": "print and logger are always silent while a history is replayed",
    "disable_registration_aliasing": "an entry is always registered under exactly one name",
}


class WorkerOptionsError(ValueError):
    """The options of a worker contradict each other; the text names entry, place and options."""


@dataclass(frozen=True)
class WorkerSettings:
    """What a ``temporal.worker`` entry asks of the SDK.

    Attributes:
        kwargs: arguments of ``temporalio.worker.Worker``, ``task_queue`` among them; what the worker serves is not.
        warnings: options that were given and have no effect, one text each, with the reason.
        workflows: whether to register workflows; False with ``disable_workflow_worker``.
        remote_activities: whether activities are polled for; False with ``local_activity_worker_only`` (then the
            activities are still to be registered, for local use).
    """

    kwargs: dict[str, Any]
    warnings: list[str]
    workflows: bool
    remote_activities: bool


def worker_options(entry: WorkerEntry, *, default_build_id: str = "lua-fleet") -> WorkerSettings:
    """The SDK's arguments for ``entry``.

    ``default_build_id`` names the code in histories when the entry has no ``build_id``; best a hash of the
    application. (Without one the SDK hashes every loaded Python module, which takes long and says nothing.)

    :raises WorkerOptionsError: worker versioning is on and the version is incomplete.
    """
    options = entry.worker_options
    kwargs: dict[str, Any] = {
        "task_queue": entry.task_queue,
        "identity": options.identity or None,
        "max_concurrent_activities": options.max_concurrent_activity_execution_size,
        "max_concurrent_workflow_tasks": options.max_concurrent_workflow_task_execution_size,
        "max_concurrent_local_activities": options.max_concurrent_local_activity_execution_size,
        "activity_task_poller_behavior": _pollers(options, "max_concurrent_activity_task_pollers"),
        "workflow_task_poller_behavior": _pollers(options, "max_concurrent_workflow_task_pollers"),
        "max_activities_per_second": options.worker_activities_per_second or None,
        "max_task_queue_activities_per_second": options.task_queue_activities_per_second or None,
        "graceful_shutdown_timeout": (
            options.worker_stop_timeout if "worker_stop_timeout" in options.explicit else DEFAULT_GRACE
        ),
        "disable_eager_activity_execution": options.disable_eager_activities,
        "no_remote_activities": options.local_activity_worker_only,
    }
    # 0 is "the SDK's own" for these, as it is in the reference.
    for name, value in (
        ("sticky_queue_schedule_to_start_timeout", options.sticky_schedule_to_start_timeout),
        ("max_heartbeat_throttle_interval", options.max_heartbeat_throttle_interval),
        ("default_heartbeat_throttle_interval", options.default_heartbeat_throttle_interval),
    ):
        if value:
            kwargs[name] = value
    warnings = [_warning(entry, name, reason) for name, reason in _NO_COUNTERPART.items() if name in options.explicit]
    kwargs.update(_version(entry, default_build_id, warnings))
    return WorkerSettings(
        kwargs=kwargs,
        warnings=warnings,
        workflows=not options.disable_workflow_worker,
        remote_activities=not options.local_activity_worker_only,
    )


def _pollers(options: WorkerOptions, name: str) -> PollerBehavior:
    """A number that was asked for is kept up; the default is a bound under which the SDK follows the load."""
    maximum: int = getattr(options, name)
    if name in options.explicit:
        return PollerBehaviorSimpleMaximum(maximum)
    return PollerBehaviorAutoscaling(minimum=1, maximum=maximum, initial=min(_INITIAL_POLLERS, maximum))


def _version(entry: WorkerEntry, default_build_id: str, warnings: list[str]) -> dict[str, Any]:
    options = entry.worker_options
    behavior = options.default_versioning_behavior
    if options.use_versioning:
        needed = {
            "deployment_name": options.deployment_name,
            "build_id": options.build_id,
            "default_versioning_behavior": behavior,
        }
        if missing := [name for name, value in needed.items() if not value]:
            raise WorkerOptionsError(
                f"{_place(entry)}: use_versioning is on, but {', '.join(missing)} not given\n"
                "    a versioned worker needs all of deployment_name, build_id and default_versioning_behavior"
                " (pinned or auto_upgrade)"
            )
    elif behavior:
        warnings.append(_warning(entry, "default_versioning_behavior", "it needs use_versioning: true"))
    if not options.deployment_name:
        return {"build_id": options.build_id or default_build_id}
    config = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(options.deployment_name, options.build_id or default_build_id),
        use_worker_versioning=options.use_versioning,
        default_versioning_behavior=(
            VersioningBehavior[behavior.upper()]
            if behavior and options.use_versioning
            else VersioningBehavior.UNSPECIFIED
        ),
    )
    return {"deployment_config": config}


def _warning(entry: WorkerEntry, name: str, reason: str) -> str:
    return f"{_place(entry)}: worker_options.{name} has no effect: {reason}"


def _place(entry: WorkerEntry) -> str:
    return f"{entry.file}:{entry.line}: entry {entry.id}"
