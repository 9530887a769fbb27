"""The lane in place of the code that runs workflows in a temporalio Worker."""

from __future__ import annotations

from temporalio.worker import Worker

from .bridge import WorkerParts
from .fitness import misfit
from .lane import Lane, Start


async def take_lane(worker: Worker, start: Start) -> str:
    """Let the workflows of `worker`, all of which are Lua, run on the lane. To be called before it runs, on the event
    loop on which it will.

    start: makes their runs. Returns "", or why they stay on the SDK's public interface.
    """
    reason = await misfit()
    if reason:
        return reason
    try:
        parts = WorkerParts(worker)
        reason = parts.obstacle
        if not reason:
            parts.replace(_Side(Lane(parts.core(), start, converter=parts.converter)))
    except AttributeError as error:
        return f"temporalio's Worker is not what it was: {error}"
    return reason


class _Side:
    """What the Worker calls."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def run(self) -> None:
        """Until the core shuts down."""
        try:
            await self._lane.run()
        except Exception as error:
            raise RuntimeError("Workflow worker failed") from error

    def notify_shutdown(self) -> None:
        """There is nothing to prepare."""

    async def drain_poll_queue(self) -> None:
        """After `run` has raised."""
        await self._lane.drain()
