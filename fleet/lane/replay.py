"""Replays histories on the lane, one at a time."""

from __future__ import annotations

import asyncio

from temporalio.bridge.proto.workflow_activation import InitializeWorkflow, RemoveFromCache
from temporalio.workflow import NondeterminismError

from .bridge import ReplayCore
from .workflows import Run, Start, WorkflowLane

_NO_FAILURE = {RemoveFromCache.EvictionReason.CACHE_FULL, RemoveFromCache.EvictionReason.LANG_REQUESTED}


class LaneReplayer:
    """A core worker that replays; to be made on a running event loop, and to be closed.

    build_id: of the code that replays.
    """

    def __init__(self, build_id: str) -> None:
        self._core = ReplayCore(build_id)
        self._over: asyncio.Future[Exception | None] | None = None
        self._start: Start | None = None
        lane = WorkflowLane(self._core, self._started, self._evicted)
        self._running = asyncio.create_task(lane.run(), name="replay lane")
        self._running.add_done_callback(self._ended)

    async def replay(self, workflow_id: str, history: bytes, start: Start) -> Exception | None:
        """Replay a serialized history to its end, where its run leaves the cache. start: makes the run.

        Returns None when it fits, NondeterminismError, or RuntimeError with what else the core says of it. Raises what
        ends the worker itself; then no other history can be replayed here.
        """
        if self._running.done():
            raise self._end()
        self._start = start
        over: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._over = over
        try:
            await self._core.push(workflow_id, history)
            return await over
        finally:
            # Nobody waits for it any more, also when it has not ended.
            over.cancel()

    async def close(self) -> None:
        """End the worker."""
        await self._core.close(lambda: asyncio.wait((self._running,)))

    def _ended(self, _: asyncio.Task[None]) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_exception(self._end())

    def _end(self) -> BaseException:
        """What the worker has ended with."""
        error = None if self._running.cancelled() else self._running.exception()
        return error or RuntimeError("the replay worker has ended")

    def _started(self, run_id: str, job: InitializeWorkflow) -> Run:
        assert self._start is not None
        return self._start(run_id, job)

    def _evicted(self, eviction: RemoveFromCache) -> None:
        if self._over is None or self._over.done():
            return
        error: Exception | None = None
        if eviction.reason == RemoveFromCache.EvictionReason.NONDETERMINISM:
            error = NondeterminismError(eviction.message)
        elif eviction.reason not in _NO_FAILURE:
            error = RuntimeError(f"{eviction.reason}: {eviction.message}")
        self._over.set_result(error)
