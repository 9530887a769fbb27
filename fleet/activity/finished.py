"""Waiting, in a task of asyncio, for what runs by callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Outcome = bytes | BaseException
"""The encoded payload of a result, or what there is in place of one."""

Begin = Callable[[Callable[[Outcome], None]], None]
"""Begins something; what it is given is called once with the outcome, perhaps before it returns."""


async def finished(begin: Begin, cancel: Callable[[], None]) -> bytes:
    """Begin something, wait for its outcome, and return it or raise it.

    cancel: called each time when this task is cancelled. What has a result all the same ends the cancellation.
    """
    outcome: Outcome | None = None
    waiting: asyncio.Future[None] | None = None

    def over(found: Outcome) -> None:
        nonlocal outcome
        outcome = found
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    begin(over)
    cancellations = 0
    while outcome is None:
        waiting = asyncio.get_running_loop().create_future()
        try:
            await waiting
        except asyncio.CancelledError:
            cancellations += 1
            cancel()
    if isinstance(outcome, bytes):
        if cancellations and (task := asyncio.current_task()) is not None:
            task.uncancel()
        return outcome
    try:
        raise outcome
    finally:
        # The error's traceback has this frame, which had the error: a cycle that only the collector ends.
        outcome = None
