"""Permits of a worker: granted up to what the page says, given back, and counted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from fleet.supervisor.page import MAX_QUEUES, Kind, Page, Tasks
from fleet.worker.permits import Permit, PermitSupplier, WorkerPermits

NORMAL: Any = SimpleNamespace(is_sticky=False)
STICKY: Any = SimpleNamespace(is_sticky=True)


def words() -> Tasks:
    return Page(1).slots[0].tasks(0, Kind.ACTIVITY)


@dataclass
class Sdk:
    """Does to a supplier what the SDK does."""

    supplier: PermitSupplier

    async def poll(self, context: Any = NORMAL) -> Permit:
        async with asyncio.timeout(5):
            permit = await self.supplier.reserve_slot(context)
        assert isinstance(permit, Permit)
        return permit

    def begin(self, permit: Permit) -> None:
        self.supplier.mark_slot_used(SimpleNamespace(permit=permit, slot_info=None))

    def end(self, permit: Permit) -> None:
        self.supplier.release_slot(SimpleNamespace(permit=permit, slot_info=None))


async def waits(task: asyncio.Task[Any]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


async def test_without_a_word_from_the_supervisor_the_entry_decides() -> None:
    tasks = words()
    sdk = Sdk(PermitSupplier(tasks, most=2))
    await sdk.poll()
    await sdk.poll()
    third = asyncio.create_task(sdk.poll())
    assert await waits(third)
    assert tasks.held == 2
    third.cancel()


async def test_the_supervisor_never_gets_above_what_the_entry_allows() -> None:
    tasks = words()
    tasks.permits = 50
    assert PermitSupplier(tasks, most=7).limit == 7


async def test_more_permits_are_granted_at_once_and_in_order() -> None:
    tasks = words()
    tasks.permits = 0
    sdk = Sdk(PermitSupplier(tasks, most=10))
    polls = [asyncio.create_task(sdk.poll()) for _ in range(4)]
    assert await waits(polls[0])
    tasks.permits = 3
    sdk.supplier.serve()
    await asyncio.gather(*polls[:3])
    assert await waits(polls[3])
    tasks.permits = 4
    sdk.supplier.serve()
    await polls[3]


async def test_fewer_permits_take_none_away_and_grant_none_until_enough_are_back() -> None:
    tasks = words()
    tasks.permits = 3
    sdk = Sdk(PermitSupplier(tasks, most=10))
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
    sdk = Sdk(PermitSupplier(tasks, most=10))
    first, second = await sdk.poll(), await sdk.poll()
    assert (tasks.held, tasks.used, tasks.finished) == (2, 0, 0)
    sdk.begin(first)
    assert (tasks.held, tasks.used, tasks.finished) == (2, 1, 0)
    sdk.end(second)
    assert (tasks.held, tasks.used, tasks.finished) == (1, 1, 0)
    before = tasks.busy
    await asyncio.sleep(0.02)
    sdk.supplier.serve()
    assert tasks.busy - before >= 20_000_000
    sdk.end(first)
    assert (tasks.held, tasks.used, tasks.finished) == (0, 0, 1)
    after = tasks.busy
    sdk.supplier.serve()
    assert tasks.busy == after


async def test_tasks_that_come_without_a_poll_leave_the_last_permit_to_the_polls() -> None:
    tasks = words()
    tasks.permits = 2
    sdk = Sdk(PermitSupplier(tasks, most=10, eager=True))
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
    sdk = Sdk(PermitSupplier(tasks, most=10, eager=True))
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
    sdk = Sdk(PermitSupplier(tasks, most=10, eager=True))
    sdk.begin(await sdk.poll())
    for _ in range(3):
        await sdk.poll()
    assert tasks.held == 4


async def test_the_loop_is_woken_for_polls_that_get_a_permit_only() -> None:
    tasks = words()
    tasks.permits = 4
    sdk = Sdk(PermitSupplier(tasks, most=10, eager=True))
    first, second = await sdk.poll(), await sdk.poll()
    third = asyncio.create_task(sdk.poll())
    assert await waits(third)
    served = 0
    serve = sdk.supplier.serve

    def counting() -> None:
        nonlocal served
        served += 1
        serve()

    sdk.supplier.serve = counting  # type: ignore[method-assign]
    eager = sdk.supplier.try_reserve_slot(NORMAL)
    assert isinstance(eager, Permit)
    sdk.end(eager)
    assert await waits(third)
    assert served == 0
    sdk.begin(first)
    sdk.begin(second)
    sdk.end(first)
    sdk.end(second)
    await third
    assert served == 1


async def test_a_permit_whose_poll_is_cancelled_is_not_lost() -> None:
    tasks = words()
    tasks.permits = 1
    sdk = Sdk(PermitSupplier(tasks, most=10))
    held = await sdk.poll()
    waiting, granted = asyncio.create_task(sdk.poll()), asyncio.create_task(sdk.poll())
    assert await waits(granted)
    waiting.cancel()
    assert await waits(granted)
    sdk.end(held)
    sdk.supplier.serve()
    granted.cancel()  # it has its permit by now, and its task has not run
    await asyncio.wait([waiting, granted])
    assert tasks.held == 0


@pytest.mark.parametrize(("mine", "other"), [(STICKY, NORMAL), (NORMAL, STICKY)])
async def test_the_last_permit_is_kept_for_the_other_of_the_two_workflow_queues(mine: Any, other: Any) -> None:
    tasks = words()
    tasks.permits = 2
    sdk = Sdk(PermitSupplier(tasks, most=10, sticky_polls=True))
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
    sdk = Sdk(PermitSupplier(tasks, most=10, sticky_polls=True))
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
