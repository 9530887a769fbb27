"""A Lua function as an activity (spec/activities.md, sections 1 and 2; decisions 2, 3, 33 and 34)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fleet._core import LuaError
from fleet.metrics.work import count_activity

from .context import ActivityContext
from .failure import FunctionFailed, LuaApplicationError
from .finished import Outcome

if TYPE_CHECKING:
    from .call import Functions
    from .running import Call


class Execution:
    """One execution of an entry: run, counted, and heartbeats recorded for it.

    functions: run it. arguments: serialized payloads. header: the payload with the values of ``ctx``, or None.
    context: what it knows of its activity. heartbeat_timeout: seconds, 0 without one.
    """

    def __init__(
        self,
        functions: Functions,
        entry_id: str,
        arguments: list[bytes],
        header: bytes | None,
        context: ActivityContext,
        heartbeat_timeout: float = 0.0,
    ) -> None:
        self._functions = functions
        self._entry_id = entry_id
        self._arguments = arguments
        self._header = header
        self._context = context
        # A cancellation reaches an activity in the answer to a heartbeat only (decision 34).
        self._beat_seconds = heartbeat_timeout / 3
        self._beating: asyncio.TimerHandle | None = None
        self._began = time.monotonic()
        self._call: Call | None = None
        self._over: Callable[[Outcome], None]

    def begin(self, over: Callable[[Outcome], None]) -> None:
        """Run. ``over`` is called once, perhaps before this returns: with the payload of the result, or with
        LuaApplicationError, or CancelledError when it was cancelled and ended with that."""
        self._over = over
        try:
            self._call = self._functions.prepare(self._entry_id, self._header, activity=self._context)
        except FunctionFailed as failed:
            self._ended(failed)
            return
        if self._beat_seconds:
            self._beat()
        self._call.begin(self._arguments, self._ended)

    def cancel(self) -> None:
        """Tell the script that it is cancelled; the second time it ends."""
        if self._call is not None:
            self._call.cancel()

    def _beat(self) -> None:
        self._beating = asyncio.get_running_loop().call_later(self._beat_seconds, self._beat)
        self._context.beat()

    def _ended(self, outcome: Outcome) -> None:
        if self._beating is not None:
            self._beating.cancel()
        result, encoded = "failed", 0
        if isinstance(outcome, bytes):
            result, encoded = "completed", len(outcome)
        elif isinstance(outcome, asyncio.CancelledError):
            result = "canceled"
        elif isinstance(outcome, FunctionFailed):
            outcome = LuaApplicationError(outcome.error)
        seconds = time.monotonic() - self._began
        count_activity(self._entry_id, result, seconds, sum(map(len, self._arguments)), encoded)
        self._over(outcome)


def unknown_activity(entry_id: str, worker_id: str) -> LuaApplicationError:
    """The failure of an activity that no entry of the worker serves. It is retried: a later deployment may bring it."""
    return LuaApplicationError(
        LuaError(
            f"no handler registered for target {entry_id}: it is no activity of the worker {worker_id}",
            "NOT_FOUND",
            True,
        )
    )
