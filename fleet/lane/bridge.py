"""What there is to know of temporalio's bridge, which is private to it: this module alone uses it.

The bridge reports a result by asking the running event loop, on a thread of the core's, to set a future. What it is
given here in place of both (core_ext/delivery.pyx) takes the result itself: an activation wakes the loop once and is
applied there and then, a completion that has arrived does not wake it at all.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import _set_running_loop
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import temporalio
import temporalio.bridge.worker as bridge
from temporalio.api.history.v1 import History
from temporalio.bridge.proto import NamespaceInfo
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime
from temporalio.worker import Interceptor, Worker, WorkerTuner

from fleet._core import Delivery, PermitLoop, Permits

log = logging.getLogger(__name__)

TESTED = ((1, 35), (1, 36))
"""Releases of temporalio that this was tested with: from the first on, below the second."""

CoreClosed: type[Exception] = vars(bridge)["PollShutdownError"]
"""A poll ends with it when the worker shuts down and holds no more activations."""


_NO_RUN = "00000000-0000-0000-0000-000000000000"


class Core:
    """One side of a core worker: serialized tasks out, serialized completions in.

    Made and used on one event loop, which calls what it is given.

    poll, complete: the bridge's methods of that side. what: is completed, in log lines.
    """

    def __init__(self, poll: Callable[[], Any], complete: Callable[[bytes], Any], what: str) -> None:
        self._what = what
        self._poll = poll
        self._complete = complete
        self._loop = asyncio.get_running_loop()
        self._delivery: Any = None

    def listen(self, taken: Callable[[bytes], None], ended: Callable[[Exception], None]) -> None:
        """Say what polls end with: a task, or an error, which is CoreClosed when there are no more; and poll."""
        self._delivery = Delivery(self._loop.call_soon_threadsafe, taken, ended)
        self.poll()

    def poll(self) -> None:
        """Ask for a task: after each that was taken, once."""
        self._delivery.poll()
        _set_running_loop(self._delivery)
        try:
            self._poll()
        finally:
            _set_running_loop(self._loop)

    def complete(
        self, id: str, completion: bytes, arrived: Callable[[], None] | None = None, *, poll: bool = False
    ) -> None:
        """Begin to hand in a completion. Raises ValueError when the bytes are no valid message. What else goes wrong is
        logged: the server gives the task out again.

        id: whose it is, in log lines. arrived: called when the core has dealt with it. poll: ask for a task as well.
        """
        delivery = self._delivery
        delivery.completion(id, self._failed, arrived)
        _set_running_loop(delivery)
        try:
            self._complete(completion)
            if poll:
                delivery.poll()
                self._poll()
        except BaseException:
            delivery.withdraw()
            raise
        finally:
            _set_running_loop(self._loop)

    async def settled(self) -> None:
        """Wait until the core has dealt with all completions."""
        settled = asyncio.Event()
        self._delivery.settled = settled.set
        if len(self._delivery):
            await settled.wait()

    def _failed(self, id: str, error: Exception) -> None:
        log.error("Failed completing %s %s", self._what, id, exc_info=error)


class WorkflowCore(Core):
    """The workflow side: activations out.

    ref: the bridge's worker.
    """

    def __init__(self, ref: Any) -> None:
        what = "activation on workflow with run ID"
        super().__init__(ref.poll_workflow_activation, ref.complete_workflow_activation, what)


class ActivityCore(Core):
    """The activity side: activity tasks out, heartbeats in.

    ref: the bridge's worker.

    Attributes:
        heartbeat: takes a serialized ActivityHeartbeat. Raises what the core has against it.
    """

    def __init__(self, ref: Any) -> None:
        super().__init__(ref.poll_activity_task, ref.complete_activity_task, "activity")
        self.heartbeat: Callable[[bytes], None] = ref.record_activity_heartbeat


class Side(Protocol):
    """What a temporalio Worker asks of the part of it that runs workflows."""

    async def run(self) -> None:
        """Poll and answer, until the core shuts down. What it raises ends the worker."""

    def notify_shutdown(self) -> None:
        """The core has been told to shut down."""

    async def drain_poll_queue(self) -> None:
        """After `run` has raised: answer what the core still holds."""


class ActivitySide(Side, Protocol):
    """What it asks of the one that runs activities."""

    async def wait_all_completed(self) -> None:
        """Wait until each activity has ended, and the core knows it."""


class WorkerParts:
    """The private parts of a temporalio Worker that has not begun to run."""

    def __init__(self, worker: Worker) -> None:
        """Raises what is missing in the installed SDK."""
        self._worker: Any = worker
        self._workflows: Any = self._worker._workflow_worker
        self._activities: Any = self._worker._activity_worker
        self._bridge: Any = self._worker._bridge_worker
        methods = ("run", "notify_shutdown", "drain_poll_queue")
        for method in methods if self._workflows is not None else ():
            getattr(self._workflows, method)
        for method in (*methods, "wait_all_completed"):
            getattr(self._activities, method)

    @property
    def has_workflows(self) -> bool:
        """Whether the worker runs workflows; all run activities, if only local ones."""
        return self._workflows is not None

    @property
    def converter(self) -> DataConverter:
        """The data converter of the worker."""
        converter: DataConverter = self._activities._data_converter
        return converter

    def obstacle(self, interceptors: Sequence[Interceptor]) -> str:
        """What the worker has that only the SDK's own code serves; "" without any. All that it runs is Lua.

        interceptors: those whose work is done on the lane as well.
        """
        if self.converter.payload_codec is not None:
            return "its client has a payload codec"
        if self.converter.external_storage is not None:
            return "its client stores payloads elsewhere"
        if self._workflows is not None and self._workflows._interceptor_classes:
            return "it has a workflow interceptor"
        for interceptor in self._activities._interceptors:
            looks = type(interceptor).intercept_activity is not Interceptor.intercept_activity
            if looks and interceptor not in interceptors:
                return "it has an activity interceptor"
        if self._workflows is not None and self._workflows._debug_mode:
            return "debug mode is on"
        return ""

    def workflow_core(self) -> WorkflowCore:
        """The workflow side of the worker's core. To be called on the event loop on which it will run."""
        return WorkflowCore(self._bridge._ref)

    def activity_core(self) -> ActivityCore:
        """The activity side, likewise."""
        return ActivityCore(self._bridge._ref)

    def replace(self, workflows: Side | None, activities: ActivitySide) -> None:
        """Let these run workflows and activities in place of the SDK's code."""
        if workflows is not None:
            self._worker._workflow_worker = workflows
        self._worker._activity_worker = activities


def grant_off_loop(worker: Worker) -> None:
    """Let the core of a worker wait for permits without the event loop. To be called before it runs, when nothing but
    Permits and the core itself supply it with permits."""
    core: Any = worker._bridge_worker
    core.validate = partial(_validate, core._ref)


async def _validate(ref: Any) -> Any:
    """What `validate` of the SDK's bridge worker does. The core will ask for permits on the loop that then runs."""
    loop = asyncio.get_running_loop()
    _set_running_loop(PermitLoop(loop))  # type: ignore[arg-type]
    try:
        validated = ref.validate()
    finally:
        _set_running_loop(loop)
    return NamespaceInfo.FromString(await validated)


def grant_directly(tuner: WorkerTuner, workflows: Permits, activities: Permits) -> None:
    """Let the core ask these for permits, and not what the tuner says on the SDK's public interface."""
    convert: Callable[[], bridge.TunerHolder] = tuner._to_bridge_tuner
    supplier: Callable[[Permits], Any] = vars(bridge)["BridgeCustomSlotSupplier"]

    def direct() -> bridge.TunerHolder:
        holder = convert()
        holder.workflow_slot_supplier = supplier(workflows)
        holder.activity_slot_supplier = supplier(activities)
        return holder

    # The tuner is a frozen dataclass.
    object.__setattr__(tuner, "_to_bridge_tuner", direct)


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


class ReplayCore(WorkflowCore):
    """A core worker that replays histories. To be made on a running event loop."""

    def __init__(self, build_id: str) -> None:
        """build_id: of the code that replays."""
        worker, self._pusher = bridge.Worker.for_replay(Runtime.default()._core_runtime, _replay_config(build_id))
        self._ref = worker._ref
        super().__init__(self._ref)

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
