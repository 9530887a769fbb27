"""How many handlers of a server run at once, and how many requests wait for their turn."""

from __future__ import annotations

import asyncio


class Overloaded(Exception):
    """There is no room to wait in."""


class Admission:
    """Lets handlers run: ``async with`` it. Raises Overloaded at once when neither a place nor room to wait is left.

    Every handler has a Lua state of its own, so that without a bound a flood of requests would take all memory.
    """

    def __init__(self, workers: int | None, waiting: int) -> None:
        """
        Args:
            workers: handlers that run at once; others wait, first come first served. None: all that are let in run.
            waiting: requests that may wait; when ``workers`` is None, handlers that may run.
        """
        self._limit = waiting + (workers or 0)
        self._places = asyncio.Semaphore(workers) if workers else None
        self._inside = 0

    async def __aenter__(self) -> None:
        if self._inside >= self._limit:
            raise Overloaded
        self._inside += 1
        if self._places is not None:
            try:
                await self._places.acquire()
            except BaseException:
                self._inside -= 1
                raise

    async def __aexit__(self, *exc_info: object) -> None:
        self._inside -= 1
        if self._places is not None:
            self._places.release()
