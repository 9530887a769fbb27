"""What there is to know of temporalio's bridge, which is private to it: this module alone uses it.

The bridge reports a result by asking the running event loop, on a thread of the core's, to set a future. What it is
given here in place of both (core_ext/delivery.pyx) takes the result itself: an activation wakes the loop once and is
applied there and then, a completion that has arrived does not wake it at all.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import _set_running_loop
from collections.abc import Callable
from typing import Any, Protocol

import temporalio
import temporalio.bridge.worker as bridge
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime
from temporalio.worker import Worker

from fleet._core import Delivery

log = logging.getLogger(__name__)

TESTED = ((1, 35), (1, 36))
"""Releases of temporalio that this was tested with: from the first on, below the second."""

CoreClosed: type[Exception] = vars(bridge)["PollShutdownError"]
"""A poll ends with it when the worker shuts down and holds no more activations."""


_NO_RUN = "00000000-0000-0000-0000-000000000000"


class Core:
    """The workflow side of a core worker: serialized activations out, serialized completions in.

    Made and used on one event loop, which calls what it is given.

    ref: the bridge's worker.
    """

    def __init__(self, ref: Any) -> None:
        self._ref = ref
        self._loop = asyncio.get_running_loop()
        self._delivery: Any = None

    def listen(self, activated: Callable[[bytes], None], ended: Callable[[Exception], None]) -> None:
        """Say what polls end with: an activation, or an error, which is CoreClosed when there are no more; and poll."""
        self._delivery = Delivery(self._loop.call_soon_threadsafe, activated, ended)
        _set_running_loop(self._delivery)
        try:
            self._ref.poll_workflow_activation()
        finally:
            _set_running_loop(self._loop)

    def answer(self, run_id: str, completion: bytes, arrived: Callable[[], None] | None = None) -> None:
        """Hand in the completion of the last activation and poll for the next, both beginning now. Raises ValueError
        when the bytes are no valid message. What else goes wrong is logged: the server gives the task out again.

        run_id: whose it is. arrived: called when the core has dealt with it.
        """
        delivery, ref = self._delivery, self._ref
        delivery.completion(run_id, _failed, arrived)
        _set_running_loop(delivery)
        try:
            try:
                ref.complete_workflow_activation(completion)
            except BaseException:
                delivery.withdraw()
                raise
            delivery.poll()
            ref.poll_workflow_activation()
        finally:
            _set_running_loop(self._loop)

    async def settled(self) -> None:
        """Wait until the core has dealt with all completions."""
        settled = asyncio.Event()
        self._delivery.settled = settled.set
        if len(self._delivery):
            await settled.wait()


def _failed(run_id: str, error: Exception) -> None:
    log.error("Failed completing activation on workflow with run ID %s", run_id, exc_info=error)


class WorkflowSide(Protocol):
    """What a temporalio Worker asks of the part of it that runs workflows."""

    async def run(self) -> None:
        """Poll and answer, until the core shuts down. What it raises ends the worker."""

    def notify_shutdown(self) -> None:
        """The core has been told to shut down."""

    async def drain_poll_queue(self) -> None:
        """After `run` has raised: answer what the core still holds."""


class WorkerParts:
    """The private parts of a temporalio Worker that has not begun to run."""

    def __init__(self, worker: Worker) -> None:
        """Raises what is missing in the installed SDK."""
        self._worker: Any = worker
        self._sdk: Any = self._worker._workflow_worker
        self._bridge: Any = self._worker._bridge_worker
        for method in ("run", "notify_shutdown", "drain_poll_queue"):
            getattr(self._sdk, method)

    @property
    def converter(self) -> DataConverter:
        """The data converter of the worker."""
        converter: DataConverter = self._sdk._data_converter
        return converter

    @property
    def obstacle(self) -> str:
        """What the worker has that only the SDK's own code serves; "" without any. All of its workflows are Lua."""
        if self.converter.payload_codec is not None:
            return "its client has a payload codec"
        if self.converter.external_storage is not None:
            return "its client stores payloads elsewhere"
        if self._sdk._interceptor_classes:
            return "it has a workflow interceptor"
        if self._sdk._debug_mode:
            return "debug mode is on"
        return ""

    def core(self) -> Core:
        """The core of the worker. To be called on the event loop on which it will run."""
        return Core(self._bridge._ref)

    def replace(self, side: WorkflowSide) -> None:
        """Let `side` run the workflows in place of the SDK's code. Activities stay with that."""
        self._worker._workflow_worker = side


def eviction(worker: Worker) -> Callable[[str], None]:
    """What drops a run, by its id, from the cache of `worker`; any thread may call it. To be asked for on the event
    loop on which the worker will run. Raises what is missing in the installed SDK, which may be another than TESTED:
    nothing but a single method is used.
    """
    if temporalio.__version__.split(".")[0] != "1":
        raise RuntimeError("this version is not known")
    core: Any = worker._bridge_worker
    if core is None:
        raise RuntimeError("the worker has no core")
    # A request for a run that core does not know does nothing: what is wrong shows now, and not when memory is short.
    core.request_workflow_eviction(_NO_RUN)
    loop = asyncio.get_running_loop()

    def request(run_id: str) -> None:
        # The SDK takes its core away when the worker has ended, on this thread. Whatever was cached went with it.
        if core._ref is not None:
            core.request_workflow_eviction(run_id)

    def evict(run_id: str) -> None:
        loop.call_soon_threadsafe(request, run_id)

    return evict


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
        await self._ref.finalize_shutdown()


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
