"""Permits of a worker: granted up to what the page says, given back, and counted."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from fleet._core import Permit, PermitLoop, PermitRequest, Permits
from fleet.supervisor.page import MAX_QUEUES, Kind, Page, Tasks
from fleet.worker.permits import PermitSupplier, WorkerPermits

NORMAL: Any = SimpleNamespace(is_sticky=False)
STICKY: Any = SimpleNamespace(is_sticky=True)


def words() -> Tasks:
    return Page(1).slots[0].tasks(0, Kind.ACTIVITY)


def holding(permit: Permit | None) -> Any:
    """The SDK's context of a permit."""
    return SimpleNamespace(permit=permit, slot_info=None)


def supplier(tasks: Tasks, most: int, is_shared: bool = False, is_eager: bool = False) -> PermitSupplier:
    return PermitSupplier(Permits(tasks.words, most, is_shared=is_shared, is_eager=is_eager))


@dataclass
class Sdk:
    """Does to a supplier what the SDK does."""

    supplier: PermitSupplier
    held: list[Permit] = field(default_factory=list)

    async def poll(self, context: Any = NORMAL) -> Permit:
        async with asyncio.timeout(5):
            permit = await self.supplier.reserve_slot(context)
        assert isinstance(permit, Permit)
        self.held.append(permit)
        return permit

    def begin(self, permit: Permit) -> None:
        self.supplier.mark_slot_used(holding(permit))

    def end(self, permit: Permit) -> None:
        self.supplier.release_slot(holding(permit))


async def waits(task: asyncio.Task[Any]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


async def test_without_a_word_from_the_supervisor_the_entry_decides() -> None:
    tasks = words()
    sdk = Sdk(supplier(tasks, most=2))
    await sdk.poll()
    await sdk.poll()
    third = asyncio.create_task(sdk.poll())
    assert await waits(third)
    assert tasks.held == 2
    third.cancel()


async def test_the_supervisor_never_gets_above_what_the_entry_allows() -> None:
    tasks = words()
    tasks.permits = 50
    assert supplier(tasks, most=7).permits.limit == 7


async def test_more_permits_are_granted_at_once_and_in_order() -> None:
    tasks = words()
    tasks.permits = 0
    sdk = Sdk(supplier(tasks, most=10))
    polls = [asyncio.create_task(sdk.poll()) for _ in range(4)]
    assert await waits(polls[0])
    tasks.permits = 3
    sdk.supplier.permits.serve()
    await asyncio.gather(*polls[:3])
    assert await waits(polls[3])
    tasks.permits = 4
    sdk.supplier.permits.serve()
    await polls[3]


async def test_fewer_permits_take_none_away_and_grant_none_until_enough_are_back() -> None:
    tasks = words()
    tasks.permits = 3
    sdk = Sdk(supplier(tasks, most=10))
    held = [await sdk.poll() for _ in range(3)]
    tasks.permits = 1
    assert tasks.held == 3
    waiting = asyncio.create_task(sdk.poll())
    for permit in held[:2]:
        sdk.end(permit)
        assert await waits(waiting)
    assert tasks.held == 1
    sdk.end(held[2])
    await waiting


async def test_what_polls_hold_and_what_tasks_use_are_counted_apart() -> None:
    tasks = words()
    sdk = Sdk(supplier(tasks, most=10))
    first, second = await sdk.poll(), await sdk.poll()
    assert (tasks.held, tasks.used, tasks.finished) == (2, 0, 0)
    sdk.begin(first)
    assert (tasks.held, tasks.used, tasks.finished) == (2, 1, 0)
    sdk.end(second)
    assert (tasks.held, tasks.used, tasks.finished) == (1, 1, 0)
    before = tasks.busy
    await asyncio.sleep(0.02)
    sdk.supplier.permits.serve()
    assert tasks.busy - before >= 20_000_000
    sdk.end(first)
    assert (tasks.held, tasks.used, tasks.finished) == (0, 0, 1)
    after = tasks.busy
    sdk.supplier.permits.serve()
    assert tasks.busy == after


async def test_tasks_that_come_without_a_poll_leave_the_last_permit_to_the_polls() -> None:
    tasks = words()
    tasks.permits = 2
    sdk = Sdk(supplier(tasks, most=10, is_eager=True))
    eager = sdk.supplier.try_reserve_slot(NORMAL)
    assert isinstance(eager, Permit)
    assert sdk.supplier.try_reserve_slot(NORMAL) is None, "nobody polls"
    sdk.begin(eager)
    poll = await sdk.poll()
    assert sdk.supplier.try_reserve_slot(NORMAL) is None, "none is free"
    sdk.end(eager)
    assert (tasks.held, tasks.used, tasks.finished) == (1, 0, 1)
    unused = sdk.supplier.try_reserve_slot(NORMAL)
    assert isinstance(unused, Permit), "the last one, for somebody polls"
    sdk.end(unused)
    sdk.end(poll)
    assert (tasks.held, tasks.finished) == (0, 1)


async def test_polls_leave_permits_for_tasks_that_come_without_one() -> None:
    tasks = words()
    tasks.permits = 8
    sdk = Sdk(supplier(tasks, most=10, is_eager=True))
    polls = [await sdk.poll() for _ in range(4)]
    fifth = asyncio.create_task(sdk.poll())
    assert await waits(fifth)
    eager = [sdk.supplier.try_reserve_slot(NORMAL) for _ in range(5)]
    assert eager[4] is None and None not in eager[:4]
    for permit in (*polls, *(permit for permit in eager if permit is not None)):
        assert isinstance(permit, Permit)
        sdk.begin(permit)
    assert await waits(fifth), "all permits are in use"
    sdk.end(polls[0])
    await fifth
    assert (tasks.held, tasks.used) == (8, 7)


async def test_polls_leave_nothing_while_tasks_wait_for_them() -> None:
    tasks = words()
    tasks.permits = 4
    sdk = Sdk(supplier(tasks, most=10, is_eager=True))
    sdk.begin(await sdk.poll())
    for _ in range(3):
        await sdk.poll()
    assert tasks.held == 4


def test_permits_are_granted_where_one_is_given_back() -> None:
    tasks = words()
    tasks.permits = 4
    permits = Permits(tasks.words, 10, is_shared=False, is_eager=True)
    created: list[PermitRequest] = []
    first, second, third = (permits.reserve_slot(NORMAL, created.append) for _ in range(3))
    assert created == [first, second, third]
    granted: list[int] = []
    for request in (first, second, third):
        assert asyncio.isfuture(request), "what asyncio.ensure_future returns as it is"
        request.add_done_callback(lambda request: granted.append(threading.get_ident()))
    assert len(granted) == 2

    def in_thread(work: Callable[[], None]) -> int:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert thread.ident is not None
        return thread.ident

    def end(request: PermitRequest) -> None:
        context = holding(request.result())
        permits.mark_slot_used(context)
        permits.release_slot(context)

    eager = permits.try_reserve_slot(NORMAL)
    in_thread(lambda: permits.release_slot(holding(eager)))
    assert len(granted) == 2, "one that came without a poll leaves no room for a poll"
    ident = in_thread(lambda: end(first))
    assert granted[2:] == [ident]
    in_thread(lambda: end(second))
    assert len(granted) == 3
    assert (tasks.held, tasks.used, tasks.finished) == (1, 0, 2)


def test_a_request_that_is_cancelled_gets_nothing() -> None:
    tasks = words()
    tasks.permits = 1
    permits = Permits(tasks.words, 10, is_shared=False, is_eager=False)
    held, cancelled, last = (permits.reserve_slot(NORMAL, lambda request: None) for _ in range(3))
    cancelled.add_done_callback(lambda request: pytest.fail("it was cancelled"))
    with pytest.raises(RuntimeError, match="no permit"):
        cancelled.result()
    cancelled.cancel()
    permit = held.result()
    held.cancel()  # as the bridge does when it has the permit
    assert tasks.held == 1
    permits.release_slot(holding(permit))
    assert last.result() is not None
    permits.release_slot(holding(permit))
    assert tasks.held == 0, "the last permit was dropped, the first one given back twice"


async def test_the_bridge_awaits_a_request_without_the_loop() -> None:
    loop = asyncio.get_running_loop()
    stand_in = PermitLoop(loop)
    seen: list[Any] = []
    stand_in.call_soon_threadsafe(lambda: seen.append("at once"), context=None)
    stand_in.call_soon_threadsafe(seen.append, "by the loop", context=contextvars.copy_context())
    assert seen == ["at once"]
    future = stand_in.create_future()
    assert future.get_loop() is loop
    await asyncio.sleep(0)
    assert seen == ["at once", "by the loop"]


def test_words_that_are_too_few() -> None:
    with pytest.raises(ValueError, match="too few"):
        Permits(words().words[:4], 10, is_shared=False, is_eager=False)


async def test_a_permit_whose_poll_is_cancelled_is_not_lost() -> None:
    tasks = words()
    tasks.permits = 1
    sdk = Sdk(supplier(tasks, most=10))
    held = await sdk.poll()
    waiting, granted = asyncio.create_task(sdk.poll()), asyncio.create_task(sdk.poll())
    assert await waits(granted)
    waiting.cancel()
    assert await waits(granted)
    sdk.end(held)
    sdk.supplier.permits.serve()
    granted.cancel()  # it has its permit by now, and its task has not run
    await asyncio.wait([waiting, granted])
    assert tasks.held == 0


@pytest.mark.parametrize(("mine", "other"), [(STICKY, NORMAL), (NORMAL, STICKY)])
async def test_the_last_permit_is_kept_for_the_other_of_the_two_workflow_queues(mine: Any, other: Any) -> None:
    tasks = words()
    tasks.permits = 2
    sdk = Sdk(supplier(tasks, most=10, is_shared=True))
    first = await sdk.poll(mine)
    second = asyncio.create_task(sdk.poll(mine))
    assert await waits(second)
    await sdk.poll(other)
    sdk.begin(first)
    sdk.end(first)
    await second
    assert tasks.held == 2


async def test_one_permit_is_for_whoever_comes_first() -> None:
    tasks = words()
    tasks.permits = 1
    sdk = Sdk(supplier(tasks, most=10, is_shared=True))
    first = await sdk.poll(STICKY)
    second = asyncio.create_task(sdk.poll(NORMAL))
    assert await waits(second)
    sdk.end(first)
    await second


async def test_entries_beyond_the_page_keep_their_sizes() -> None:
    kwargs = {"max_concurrent_workflow_tasks": 5, "max_concurrent_activities": 6, "max_concurrent_local_activities": 7}
    permits = WorkerPermits(Page(1).slots[0])
    assert permits.tuned(MAX_QUEUES, kwargs) == kwargs
    tuned = permits.tuned(0, {**kwargs, "task_queue": "q"})
    assert set(tuned) == {"task_queue", "tuner"}
