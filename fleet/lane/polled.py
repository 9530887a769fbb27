"""What workflows and activities on the lane have in common: polling until the core shuts down."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from .bridge import Core, CoreClosed


class Polled(ABC):
    """Takes the tasks of one side of a core worker.

    core: where tasks come from.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._over: asyncio.Future[None]
        self._polling = False
        self._drained: asyncio.Event | None = None

    async def run(self) -> None:
        """Until the core worker shuts down; what was completed has then arrived. Raises what polling fails with."""
        self._over = asyncio.get_running_loop().create_future()
        self._listen()
        try:
            await self._over
        finally:
            await self._core.settled()

    async def drain(self) -> None:
        """After `run` has raised: fail the tasks that the core worker still hands out, until it shuts down."""
        self._drained = asyncio.Event()
        if not self._polling:
            self._listen()
        await self._drained.wait()
        await self._core.settled()

    @abstractmethod
    def _take(self, task: bytes, /) -> None:
        """Do a task, or begin it. What it raises ends the worker."""

    @abstractmethod
    def _refuse(self, task: bytes, /) -> None:
        """Say that a task will not be done: the core does not shut down before it has an answer."""

    def _listen(self) -> None:
        self._polling = True
        self._core.listen(self._taken, self._ended)

    def _taken(self, task: bytes) -> None:
        if not self._over.done():
            try:
                self._take(task)
                return
            except Exception as error:
                self._over.set_exception(error)
        self._refuse(task)

    def _ended(self, error: Exception) -> None:
        self._polling = False
        if self._drained is not None:
            self._drained.set()
        if self._over.done():
            return
        if isinstance(error, CoreClosed):
            self._over.set_result(None)
        else:
            self._over.set_exception(error)
