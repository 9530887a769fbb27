"""The scheduler's coroutines and channels against asyncio's tasks and queues that do the same work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from functions import NativeFunction


async def take_turns(count: int) -> int:
    async def body() -> None:
        for _ in range(count // 2):
            await asyncio.sleep(0)

    await asyncio.gather(body(), body())
    return count


async def spawn_and_end(count: int) -> int:
    async def body() -> None:
        pass

    await asyncio.gather(*(asyncio.create_task(body()) for _ in range(count)))
    return count


async def transfer(count: int, capacity: int) -> int:
    queue: asyncio.Queue[int | None] = asyncio.Queue(capacity)

    async def produce() -> None:
        for i in range(1, count + 1):
            await queue.put(i)
        await queue.put(None)

    producer = asyncio.create_task(produce())
    total = 0
    while (value := await queue.get()) is not None:
        total += value
    await producer
    return total


async def handover(count: int) -> int:
    return await transfer(count, 1)


async def buffered(count: int) -> int:
    return await transfer(count, 100)


async def select_of_two(count: int) -> int:
    """asyncio has no select: a getter per queue is kept waiting, and asyncio.wait says which one has a value."""
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(1), asyncio.Queue(1)]

    async def produce(queue: asyncio.Queue[int]) -> None:
        for i in range(1, count // 2 + 1):
            await queue.put(i)

    producers = [asyncio.create_task(produce(queue)) for queue in queues]
    getters = {asyncio.create_task(queue.get()): queue for queue in queues}
    total, received = 0, 0
    while received < count:
        done, _ = await asyncio.wait(getters, return_when=asyncio.FIRST_COMPLETED)
        for getter in done:
            queue = getters.pop(getter)
            total += getter.result()
            received += 1
            getters[asyncio.create_task(queue.get())] = queue
    for getter in getters:
        getter.cancel()
    await asyncio.gather(*producers)
    return total


async def fan_in(count: int) -> int:
    start = asyncio.Event()
    results: asyncio.Queue[int] = asyncio.Queue(1)

    async def body(i: int) -> None:
        await start.wait()
        await results.put(i)

    tasks = [asyncio.create_task(body(i)) for i in range(1, count + 1)]
    await asyncio.sleep(0)
    start.set()
    total = 0
    for _ in range(count):
        total += await results.get()
    await asyncio.gather(*tasks)
    return total


Peer = Callable[[int], Coroutine[Any, Any, int]]

CASES: dict[str, tuple[str, int, str, Peer]] = {
    "take_turns": ("scheduler: give way and get the turn back", 10_000, "asyncio.sleep(0)", take_turns),
    "spawn_and_end": ("scheduler: spawn a coroutine that ends", 2_000, "asyncio.create_task", spawn_and_end),
    "handover": ("scheduler: a value through a channel of 1", 10_000, "asyncio.Queue(1)", handover),
    "buffered": ("scheduler: a value through a channel of 100", 10_000, "asyncio.Queue(100)", buffered),
    "select_of_two": ("scheduler: select from two channels", 4_000, "asyncio.wait on two Queues", select_of_two),
    "fan_in": ("scheduler: 5000 wait, are woken and answer", 5_000, "asyncio tasks, Event, Queue(1)", fan_in),
}


@pytest.mark.parametrize("name", CASES)
def test_on_the_native_scheduler(measure: Any, app: Any, name: str) -> None:
    group, count, _, peer = CASES[name]
    function = NativeFunction(app, f"bench:{name}")

    def setup() -> tuple[tuple[int], dict[str, Any]]:
        function.prepare()
        return (count,), {}

    result = measure(group, "fleet", function.run, operations=count, setup=setup)
    function.close()
    assert result == asyncio.run(peer(count))


@pytest.mark.parametrize("name", CASES)
def test_on_asyncio(measure: Any, name: str) -> None:
    group, count, label, peer = CASES[name]
    with asyncio.Runner() as runner:
        measure(group, label, lambda: runner.run(peer(count)), operations=count)
