"""How many tasks a worker takes at once: permits that the supervisor changes while the worker runs.

The SDK asks a slot supplier for a permit before each poll and gives it back when the task that the poll brought has
ended. A supplier that reads its limit from the shared page is the way to change the number of polls and of tasks at
run time: one more is granted at once, one less when a poll ends, which the server lets wait for a minute at most.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
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

from fleet.supervisor.page import MAX_QUEUES, Kind, Slot, Tasks

from .observed import Observer

_FOLLOW_SECONDS = 0.1
_UNDER_WAY = 100_000_000
"""Nanoseconds. A poll that brings a task sooner did not wait for one, it was under way to a task that was there: a few
round trips to a server that is far."""
_SIZES = ("max_concurrent_workflow_tasks", "max_concurrent_activities", "max_concurrent_local_activities")
_WRAP = 2**64 - 1


@dataclass
class Permit(SlotPermit):
    """A permit that the SDK holds.

    Attributes:
        sticky: it was asked for by a poll for workflow tasks of cached runs.
        granted: when it was (monotonic ns).
        poll: a poll has it, no task yet.
        used: a task has it.
    """

    sticky: bool
    granted: int
    poll: bool
    used: bool = False


@dataclass
class _Waiting:
    sticky: bool
    granted: asyncio.Future[Permit]


class PermitSupplier(CustomSlotSupplier):
    """Permits for one kind of tasks on one task queue, as many as the page says.

    Asked for and granted on the event loop; the SDK's threads give them back and ask for those of eager tasks.
    """

    def __init__(self, tasks: Tasks, most: int, *, sticky_polls: bool = False, eager: bool = False) -> None:
        """To be made on the event loop.

        tasks: the worker's words in the page. most: the limit of the entry's own options, never exceeded.
        sticky_polls: there are polls for the tasks of cached runs too, which share the permits. eager: tasks come
        without a poll too.
        """
        self._tasks = tasks
        self._most = most
        self._is_shared = sticky_polls
        self._is_eager = eager
        self._lock = threading.Lock()
        self._polls = {False: 0, True: 0}
        self._waiting: list[_Waiting] = []
        self._is_woken = False
        self._tasks_wait = False
        self._loop = asyncio.get_running_loop()
        self._counted_until = time.monotonic_ns()

    @property
    def limit(self) -> int:
        """How many permits may be held now."""
        permits = self._tasks.permits
        return self._most if permits is None else min(permits, self._most)

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Wait for a permit for a poll."""
        with self._lock:
            if not self._waiting and self._may_poll(ctx.is_sticky):
                return self._take(ctx.is_sticky, poll=True)
        request = _Waiting(ctx.is_sticky, self._loop.create_future())
        self._waiting.append(request)
        self.serve()
        try:
            return await request.granted
        except asyncio.CancelledError:
            if request in self._waiting:
                self._waiting.remove(request)
            elif not request.granted.cancelled():
                self._give_back(request.granted.result())
            raise

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """A permit for a task that comes without a poll, None without a free one."""
        with self._lock:
            free = self.limit - self._tasks.held
            # One without a poll that comes again and again must not take the last permit from the polls for ever.
            if free < 1 or (free == 1 and not any(self._polls.values())):
                return None
            return self._take(ctx.is_sticky, poll=False)

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """A task has come."""
        permit = ctx.permit
        assert isinstance(permit, Permit)
        with self._lock:
            self._count()
            if permit.poll:
                self._tasks_wait = self._counted_until - permit.granted < _UNDER_WAY
            self._polled(permit)
            permit.used = True
            self._tasks.used += 1

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """The task has ended, or the poll without one."""
        permit = ctx.permit
        assert isinstance(permit, Permit)
        self._give_back(permit)

    def serve(self) -> None:
        """Grant what waits, in order, as far as the limit allows; to be called on the loop."""
        with self._lock:
            self._is_woken = False
            self._count()
            waiting, self._waiting = self._waiting, []
            for request in waiting:
                if request.granted.cancelled():
                    continue
                if self._may_poll(request.sticky):
                    request.granted.set_result(self._take(request.sticky, poll=True))
                else:
                    self._waiting.append(request)

    def _may_poll(self, sticky: bool) -> bool:
        free = self.limit - self._tasks.held
        polls = self._polls[sticky]
        if self._is_shared:
            # Workflow tasks come from two queues. A poll of the one must not keep the last permit from the other for as
            # long as the server lets it wait: with two sticky polls and two permits a new run began after 10 s.
            return free > 1 or (free == 1 and not (polls and not self._polls[not sticky]))
        # A task that comes without a poll spares the server and this worker one; it finds a permit only if the polls
        # have not taken them all. While they wait, they take one, and beyond it at most as many as they leave.
        return free > polls if self._is_eager and polls and not self._tasks_wait else free > 0

    def _take(self, sticky: bool, *, poll: bool) -> Permit:
        self._tasks.held += 1
        self._polls[sticky] += poll
        return Permit(sticky, time.monotonic_ns(), poll)

    def _polled(self, permit: Permit) -> None:
        self._polls[permit.sticky] -= permit.poll
        permit.poll = False

    def _give_back(self, permit: Permit) -> None:
        with self._lock:
            self._count()
            self._tasks.held -= 1
            self._polled(permit)
            if permit.used:
                self._tasks.used -= 1
                self._tasks.finished += 1
            # A wake-up of the loop costs as much as a task that does nothing: none in vain, and none twice.
            if self._is_woken or self._loop.is_closed():
                return
            self._is_woken = any(self._may_poll(request.sticky) for request in self._waiting)
            if self._is_woken:
                self._loop.call_soon_threadsafe(self.serve)

    def _count(self) -> None:
        """Bring `busy` up to now; before each change of `used`."""
        now = time.monotonic_ns()
        self._tasks.busy = (self._tasks.busy + self._tasks.used * (now - self._counted_until)) & _WRAP
        self._counted_until = now


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
        self._suppliers: list[PermitSupplier] = []

    def tuned(self, queue: int, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of temporalio's Worker with a tuner in place of the fixed sizes, which bound it.

        queue: the number of the entry; those beyond the page's room keep their sizes. kwargs: as `worker_options`
        makes them.
        """
        if queue >= MAX_QUEUES:
            return dict(kwargs)
        workflows, activities, local_activities = (kwargs[name] for name in _SIZES)
        eager = not kwargs.get("disable_eager_activity_execution", False)
        cached = kwargs.get("max_cached_workflows", 1) > 0
        tuner = WorkerTuner.create_composite(
            workflow_supplier=self._supplier(queue, Kind.WORKFLOW, workflows, sticky_polls=cached),
            activity_supplier=self._supplier(queue, Kind.ACTIVITY, activities, eager=eager),
            local_activity_supplier=FixedSizeSlotSupplier(local_activities),
            nexus_supplier=FixedSizeSlotSupplier(1),
        )
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
            for supplier in self._suppliers:
                supplier.serve()

    def _supplier(self, queue: int, kind: Kind, most: int, **tasks_come: bool) -> PermitSupplier:
        supplier = PermitSupplier(self._slot.tasks(queue, kind), most, **tasks_come)
        self._suppliers.append(supplier)
        return supplier
