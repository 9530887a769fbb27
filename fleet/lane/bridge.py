"""What there is to know of temporalio's bridge, which is private to it: this module alone uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import temporalio.bridge.worker as bridge
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.runtime import Runtime

TESTED = ((1, 35), (1, 36))
"""Releases of temporalio that this was tested with: from the first on, below the second."""


class Core:
    """The workflow side of a core worker: serialized activations out, serialized completions in.

    ref: the bridge's worker.
    """

    def __init__(self, ref: Any) -> None:
        self._ref = ref

    def poll(self) -> asyncio.Future[bytes]:
        """Ask for the next activation, beginning now. The future raises CoreClosed when there will be no more."""
        future: asyncio.Future[bytes] = self._ref.poll_workflow_activation()
        return future

    def complete(self, completion: bytes) -> asyncio.Future[None]:
        """Hand in a completion, beginning now. Raises ValueError when the bytes are no valid message."""
        future: asyncio.Future[None] = self._ref.complete_workflow_activation(completion)
        return future


CoreClosed: type[Exception] = vars(bridge)["PollShutdownError"]
"""A poll ends with it when the worker shuts down and holds no more activations."""


class ReplayCore(Core):
    """A core worker that replays histories. To be made on a running event loop."""

    def __init__(self, build_id: str) -> None:
        """build_id: of the code that replays."""
        worker, self._pusher = bridge.Worker.for_replay(Runtime.default()._core_runtime, _replay_config(build_id))
        super().__init__(worker._ref)

    async def push(self, workflow_id: str, history: bytes) -> None:
        """Begin to replay a serialized history."""
        await self._pusher.push_history(workflow_id, history)

    async def close(self, drained: Callable[[], Any]) -> None:
        """End. drained: an awaitable that is over when `poll` has raised CoreClosed."""
        self._pusher.close()
        self._ref.initiate_shutdown()
        await drained()
        ref, self._ref = self._ref, None
        await ref.finalize_shutdown()


def serialized(history: WorkflowHistory) -> bytes:
    """A history as the core takes it."""
    return History(events=history.events).SerializeToString()


def _replay_config(build_id: str) -> bridge.WorkerConfig:
    """As temporalio's Replayer has it: the core ignores most of it, and wants all of it."""
    fixed, polls = bridge.FixedSizeSlotSupplier, bridge.PollerBehaviorSimpleMaximum
    return bridge.WorkerConfig(
        namespace="replay",
        task_queue=f"replay-{build_id}",
        identity_override=None,
        nondeterminism_as_workflow_fail=False,
        nondeterminism_as_workflow_fail_for_types=set(),
        max_cached_workflows=2,
        tuner=bridge.TunerHolder(
            workflow_slot_supplier=fixed(2),
            activity_slot_supplier=fixed(1),
            local_activity_slot_supplier=fixed(1),
            nexus_slot_supplier=fixed(1),
        ),
        nonsticky_to_sticky_poll_ratio=1,
        no_remote_activities=True,
        disable_payload_error_limit=True,
        task_types=bridge.WorkerTaskTypes(
            enable_workflows=True,
            enable_local_activities=False,
            enable_remote_activities=False,
            enable_nexus=False,
        ),
        sticky_queue_schedule_to_start_timeout_millis=1000,
        max_heartbeat_throttle_interval_millis=1000,
        default_heartbeat_throttle_interval_millis=1000,
        max_activities_per_second=None,
        max_task_queue_activities_per_second=None,
        max_eager_activity_reservations_per_workflow_task=3,
        graceful_shutdown_period_millis=0,
        versioning_strategy=bridge.WorkerVersioningStrategyNone(build_id_no_versioning=build_id),
        workflow_task_poller_behavior=polls(2),
        activity_task_poller_behavior=polls(1),
        nexus_task_poller_behavior=polls(1),
        plugins=[],
        storage_drivers=set(),
    )
