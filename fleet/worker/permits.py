"""How many tasks a worker takes at once: permits that the supervisor changes while the worker runs.

The SDK asks a slot supplier for a permit before each poll and gives it back when the task that the poll brought has
ended. A supplier that reads its limit from the shared page is the way to change the number of polls and of tasks at
run time: one more is granted at once, one less when a poll ends, which the server lets wait for a minute at most.
The rules are in core_ext/permits.pyx: each task asks and answers several times, on threads of the SDK's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from temporalio.exceptions import is_cancelled_exception
from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

from fleet._core import Permits
from fleet.lane import Observer, grant_directly
from fleet.supervisor.page import MAX_QUEUES, Kind, Slot, Tasks

_FOLLOW_SECONDS = 0.25
_SIZES = ("max_concurrent_workflow_tasks", "max_concurrent_activities", "max_concurrent_local_activities")


class PermitSupplier(CustomSlotSupplier):
    """Permits for one kind of tasks on one task queue, on the SDK's public interface.

    Attributes:
        permits: those that it hands out.
    """

    def __init__(self, permits: Permits) -> None:
        self.permits = permits

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Wait for a permit for a poll."""
        loop = asyncio.get_running_loop()
        granted = loop.create_future()

        def wake() -> None:
            if not granted.done():
                granted.set_result(None)

        request = self.permits.reserve_slot(ctx, lambda request: None)
        request.add_done_callback(lambda request: loop.call_soon_threadsafe(wake))
        try:
            await granted
        except asyncio.CancelledError:
            request.cancel()
            raise
        # The SDK's interface has a class for permits that says nothing; what it gets it gives back.
        return request.result()  # type: ignore[return-value]

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """A permit for a task that comes without a poll, None without a free one."""
        return self.permits.try_reserve_slot(ctx)  # type: ignore[return-value]

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """A task has come."""
        self.permits.mark_slot_used(ctx)

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """The task has ended, or the poll without one."""
        self.permits.release_slot(ctx)


class FailureCount:
    """Counts the activities that fail: a queue of which nearly all do is not given more permits. An Observer."""

    def __init__(self, tasks: Tasks) -> None:
        """tasks: the worker's words for activities."""
        self._tasks = tasks

    def activity_begins(self) -> None:
        """See Observer."""

    def activity_ended(self, error: BaseException | None, is_local: bool) -> None:
        """See Observer."""
        if error is not None and not is_local and not is_cancelled_exception(error):
            self._tasks.failed += 1


class WorkerPermits:
    """The permits of a worker process: for each temporal.worker entry a tuner that follows the page."""

    def __init__(self, slot: Slot) -> None:
        """slot: the block of this process; its queues are the temporal.worker entries in the order of their ids."""
        self._slot = slot
        self._permits: list[Permits] = []

    def tuned(self, queue: int, kwargs: Mapping[str, Any], *, direct: bool = False) -> dict[str, Any]:
        """Arguments of temporalio's Worker with a tuner in place of the fixed sizes, which bound it.

        queue: the number of the entry; those beyond the page's room keep their sizes. kwargs: as `worker_options`
        makes them. direct: hand permits to Temporal's core without the SDK's Python in between.
        """
        if queue >= MAX_QUEUES:
            return dict(kwargs)
        workflows, activities, local_activities = (kwargs[name] for name in _SIZES)
        eager = not kwargs.get("disable_eager_activity_execution", False)
        cached = kwargs.get("max_cached_workflows", 1) > 0
        of_workflows = self._add(queue, Kind.WORKFLOW, workflows, is_shared=cached)
        of_activities = self._add(queue, Kind.ACTIVITY, activities, is_eager=eager)
        tuner = WorkerTuner.create_composite(
            workflow_supplier=PermitSupplier(of_workflows),
            activity_supplier=PermitSupplier(of_activities),
            local_activity_supplier=FixedSizeSlotSupplier(local_activities),
            nexus_supplier=FixedSizeSlotSupplier(1),
        )
        if direct:
            grant_directly(tuner, of_workflows, of_activities)
        return {**{name: value for name, value in kwargs.items() if name not in _SIZES}, "tuner": tuner}

    def observers(self, queue: int) -> list[Observer]:
        """What counts for the supervisor in a worker of entry number `queue`."""
        return [FailureCount(self._slot.tasks(queue, Kind.ACTIVITY))] if queue < MAX_QUEUES else []

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Hand out what the supervisor adds, and keep the page's sums up to date, for the length of the block."""
        task = asyncio.create_task(self._follow(), name="permits")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            for permits in self._permits:
                permits.serve()

    def _add(self, queue: int, kind: Kind, most: int, *, is_shared: bool = False, is_eager: bool = False) -> Permits:
        tasks: Tasks = self._slot.tasks(queue, kind)
        permits = Permits(tasks.words, most, is_shared=is_shared, is_eager=is_eager)
        self._permits.append(permits)
        return permits
