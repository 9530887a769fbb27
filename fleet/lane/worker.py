"""The lane in place of the code that runs workflows and activities in a temporalio Worker."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.worker import Interceptor, Worker

from .activities import ActivityLane, Make, Observer
from .bridge import ActivitySide, WorkerParts
from .fitness import misfit
from .polled import Polled
from .workflows import Start, WorkflowLane


async def take_lane(
    worker: Worker, start: Start, make: Make, observers: Sequence[Observer], interceptors: Sequence[Interceptor]
) -> str:
    """Let the workflows and activities of `worker`, all of which are Lua, run on the lane. To be called before it runs,
    on the event loop on which it will.

    start: makes the runs of workflows. make: makes what runs activities. observers: are told of each. interceptors:
    those of the worker's whose work the two do. Returns "", or why all stays on the SDK's public interface.
    """
    reason = await misfit()
    if reason:
        return reason
    try:
        parts = WorkerParts(worker)
        reason = parts.obstacle(interceptors)
        if not reason:
            workflows = None
            if parts.has_workflows:
                lane = WorkflowLane(parts.workflow_core(), start, converter=parts.converter)
                workflows = _Side(lane, "Workflow")
            parts.replace(workflows, activity_side(parts, make, observers))
    except AttributeError as error:
        return f"temporalio's Worker is not what it was: {error}"
    return reason


def activity_side(parts: WorkerParts, make: Make, observers: Sequence[Observer] = ()) -> ActivitySide:
    """What runs the activities of a worker on the lane."""
    return _ActivitySide(ActivityLane(parts.activity_core(), make, observers, parts.converter))


class _Side:
    """What the Worker calls."""

    def __init__(self, polled: Polled, name: str) -> None:
        self._polled = polled
        self._name = name

    async def run(self) -> None:
        """Until the core shuts down."""
        try:
            await self._polled.run()
        except Exception as error:
            raise RuntimeError(f"{self._name} worker failed") from error

    def notify_shutdown(self) -> None:
        """There is nothing to prepare."""

    async def drain_poll_queue(self) -> None:
        """After `run` has raised."""
        await self._polled.drain()


class _ActivitySide(_Side):
    def __init__(self, lane: ActivityLane) -> None:
        super().__init__(lane, "Activity")
        self._lane = lane

    async def wait_all_completed(self) -> None:
        """After `run` or `drain_poll_queue`."""
        await self._lane.finish()

    def assert_activity_valid(self, activity: str) -> None:
        """Asked by Python workflows before a local activity: what is unknown fails when it runs."""
