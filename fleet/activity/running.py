"""One running call of a Lua function: steps its state, does what it asks for, brings the answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from fleet import _core
from fleet._core import LuaError
from fleet.modules import RequestFailed
from fleet.modules.caller import Exchange, raw, text
from fleet.registry import EnvRegistry

from .context import ActivityContext
from .failure import FunctionFailed, crashed
from .finished import Outcome

if TYPE_CHECKING:
    from .call import Functions

logger = logging.getLogger(__name__)

SLICE = 0.005
"""Seconds that a script may compute before it gives way to the event loop."""

_LONGEST_SLEEP = 100 * 365 * 86_400.0


class Process(Protocol):
    """What a call is to others while it runs: something with a mailbox (fleet.process)."""

    def stepped(self, unread: int) -> None:
        """The script ran; this many messages that it was given have not been received by it."""
        ...

    def ended(self, outcome: bytes | LuaError) -> None:
        """The call is over, with the payload of its result or an error."""
        ...


class Replaced(Exception):
    """The script asked for other code in its place (process.upgrade).

    Attributes:
        request: what engine_function.lua says of it: entry, arguments, messages.
        events: what it had not been told yet.
    """

    def __init__(self, request: Mapping[str, Any], events: list[list[Any]]) -> None:
        super().__init__("replaced")
        self.request = request
        self.events = events


class Call:
    """A call from its start to its result; made by ``Functions``, run once.

    Attributes:
        entry_id: what runs.
        context: the payload with the values of ``ctx``, or None.
        activity: the activity that it runs for, or None.
        exchange: the HTTP exchange that it answers, or None; calls that it makes do not have it.
        depth: how many calls of functions are above it.
        process: who is told how it goes on; None while nobody knows it as a process.
    """

    __slots__ = (
        "_blocked",
        "_canceled",
        "_cleanup",
        "_context",
        "_events",
        "_functions",
        "_gave_up",
        "_kept",
        "_killed",
        "_last_kept",
        "_over",
        "_pending",
        "_state",
        "activity",
        "context",
        "depth",
        "entry_id",
        "exchange",
        "process",
    )

    def __init__(
        self,
        functions: Functions,
        entry_id: str,
        state: _core.LuaState,
        context: bytes | None,
        *,
        activity: ActivityContext | None,
        exchange: Exchange | None,
        depth: int,
    ) -> None:
        self._functions = functions
        self._state = state
        self._events: list[list[Any]] = []
        self._pending: dict[int, asyncio.Task[None] | asyncio.TimerHandle] = {}
        self._over: Callable[[Outcome], None] | None = None
        self._context: Context
        self._blocked = False
        self._canceled = False
        self._cleanup: asyncio.TimerHandle | None = None
        self._gave_up = False
        self._killed: LuaError | None = None
        self._kept: dict[int, tuple[Any, Callable[[], None]]] = {}
        self._last_kept = 0
        self.entry_id = entry_id
        self.context = context
        self.activity = activity
        self.exchange = exchange
        self.depth = depth
        self.process: Process | None = None
        state.host = self._host
        if activity is not None and depth == 0:
            activity.alive = self.is_alive

    # ---- what the modules see of it (fleet.modules.Caller)

    @property
    def functions(self) -> Functions:
        """The functions of the process, for calls that this one makes."""
        return self._functions

    @property
    def env(self) -> EnvRegistry:
        """The variables of the application."""
        return self._functions.app.env

    @property
    def shared(self) -> Any:
        """What the calls of this process have in common."""
        return self._functions.shared

    @property
    def room(self) -> int:
        """How many bytes a value for the script may have, so that it does not end for want of memory."""
        return self._functions.memory_limit // 2

    @property
    def log_fields(self) -> Mapping[str, Any]:
        """What identifies the call in a log line."""
        fields: dict[str, Any] = {"entry": self.entry_id}
        if self.activity is not None:
            info = self.activity.info
            for name in ("workflow_id", "run_id", "activity_id", "attempt"):
                if info.get(name) is not None:
                    fields[name] = info[name]
        return fields

    def is_alive(self) -> bool:
        """Does it compute, or wait for something that can come?"""
        return bool(self._state.runnable or self._events or self._pending)

    def keep(self, value: Any, close: Callable[[], None]) -> int:
        """Hold ``value`` for the script under a number; ``close`` is called when it is dropped or the call ends."""
        self._last_kept += 1
        self._kept[self._last_kept] = (value, close)
        return self._last_kept

    def kept(self, number: int) -> Any:
        """The value of a number, None when it has been dropped."""
        entry = self._kept.get(number)
        return entry[0] if entry else None

    def drop(self, number: int) -> None:
        """Close a kept value now."""
        entry = self._kept.pop(number, None)
        if entry:
            entry[1]()

    def post(self, event: list[Any]) -> None:
        """Give the script an event of the function engine that nobody asked for, such as a message."""
        self._events.append(event)
        self._wake()

    def kill(self, error: LuaError) -> None:
        """End the script as soon as it blocks or has used up its slice; the call fails with ``error``."""
        self._killed = self._killed or error
        self._wake()

    # ---- the driver

    def begin(self, payloads: list[bytes], over: Callable[[Outcome], None]) -> None:
        """Run. ``over`` is called once, perhaps before this returns: with the encoded payload of the result, or with
        FunctionFailed, Replaced, or CancelledError when the call was cancelled and the script ended with that.
        """
        self._over = over
        self._context = copy_context()
        self._functions.running += 1
        self._events.append(["start", payloads, self.context])
        self._step_on()

    def cancel(self) -> None:
        """Tell the script that its operation is cancelled. It may clean up for a while; the second time it ends."""
        if self._over is None:
            return
        if self._canceled:
            self._finish(asyncio.CancelledError())
            return
        self._canceled = True
        details = self.activity.canceled() if self.activity is not None else None
        self._events.append(["cancel", LuaError("operation canceled", "CANCELED", False, details)])
        self._cleanup = asyncio.get_running_loop().call_later(self._functions.cleanup_seconds, self._give_up)
        self._wake()

    def _go(self) -> None:
        if self._over is None:
            return
        if self._gave_up:
            seconds = self._functions.cleanup_seconds
            late = f"{self.entry_id} had not ended {seconds:g} s after its cancellation"
            self._finish(asyncio.CancelledError(late))
        elif self._killed is not None:
            self._finish(FunctionFailed(self._killed))
        else:
            self._step_on()

    def _step_on(self) -> None:
        """Step, and see to it that the next step comes when there is something for it."""
        outcome: Outcome | None = None
        try:
            out = self._step()
            if self._state.stopped:
                outcome = self._outcome(out)
            else:
                if self.process is not None:
                    self.process.stepped(out["unread"] + len(self._events))
                self._serve(out["outbox"])
        except Exception as error:
            outcome = error
        if outcome is not None:
            self._finish(outcome)
        elif self._state.runnable:
            self._functions.turns.next(partial(self._context.run, self._go))
        else:
            self._blocked = True
            if self._events or self._gave_up or self._killed is not None:
                self._wake()

    def _step(self) -> Any:
        events, self._events = self._events, []
        event = None if not events else events[0] if len(events) == 1 else ["batch", events]
        try:
            return self._state.step(event, SLICE)
        except (_core.LuaViolation, _core.LuaFault) as error:
            raise FunctionFailed(crashed(self.entry_id, str(error))) from None
        except (_core.LuaValueError, MemoryError) as error:
            raise FunctionFailed(crashed(self.entry_id, f"an answer cannot be given to the script: {error}")) from error

    def _outcome(self, out: dict[str, Any]) -> Outcome:
        if out.get("upgrade") is not None:
            # The process goes on, without this call.
            self.process = None
            return Replaced(out["upgrade"], self._events)
        error: LuaError | None = out.get("error")
        if error is None:
            return raw(out["result"])
        if self._canceled and error.kind == "CANCELED":
            # No class of our own: asyncio.timeout wants this very one.
            return asyncio.CancelledError(text(error.message))
        return FunctionFailed(error)

    def _finish(self, outcome: Outcome) -> None:
        over, self._over = self._over, None
        self._blocked = False
        self._functions.running -= 1
        if self._cleanup is not None:
            self._cleanup.cancel()
        self._close()
        if self.process is not None:
            self.process.ended(_told(outcome))
        assert over is not None
        over(outcome)

    def _give_up(self) -> None:
        self._gave_up = True
        self._wake()

    def _wake(self) -> None:
        if self._blocked:
            self._blocked = False
            asyncio.get_running_loop().call_soon(self._go, context=self._context)

    def discard(self) -> None:
        """Free a call that will not be run."""
        self._close()
        if self.process is not None:
            self.process.ended(LuaError("operation canceled", "CANCELED", False))

    def _close(self) -> None:
        for pending in self._pending.values():
            pending.cancel()
        self._pending.clear()
        for _, close in self._kept.values():
            close()
        self._kept.clear()
        self._state.close()
        # A reference cycle (state, its host function, this) would keep the closed state until the next collection.
        self._state.host = None

    # ---- requests and host functions

    def _serve(self, outbox: Any) -> None:
        """Start what the script asked for in this step; an empty Lua table arrives as a dict."""
        for number, name, arguments in outbox or ():
            if name == "abandon":
                pending = self._pending.pop(number, None)
                if pending is not None:
                    pending.cancel()
            elif name == "sleep":
                seconds = min(max(arguments[1] / 1e9, 0.0), _LONGEST_SLEEP)
                self._pending[number] = asyncio.get_running_loop().call_later(seconds, self._slept, number)
            else:
                values = [arguments.get(i) for i in range(1, arguments["n"] + 1)]
                self._pending[number] = self._functions.spawn(self._answer(number, name, values))

    def _slept(self, number: int) -> None:
        del self._pending[number]
        self._events.append(["done", number, None])
        self._wake()

    async def _answer(self, number: int, name: str, arguments: list[Any]) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            value = await self._functions.requests[name](self, *arguments)
        except RequestFailed as failed:
            value = failed.error
        except asyncio.CancelledError:
            if task.cancelling():
                raise
            value = LuaError("operation canceled", "CANCELED", False)
        except Exception as error:
            logger.exception("request %s of %s failed", name, self.entry_id)
            value = LuaError(f"{name}: {type(error).__name__}: {error}", "INTERNAL", False)
        if self._pending.pop(number, None) is not None:
            self._events.append(["failed" if isinstance(value, LuaError) else "done", number, value])
            self._wake()

    def _host(self, name: str, *arguments: Any) -> Any:
        pure = self._functions.host.get(name)
        if pure is not None:
            return pure(*arguments)
        return self._functions.call_host[name](self, *arguments)


def _told(outcome: Outcome) -> bytes | LuaError:
    """How a call ended, to those who know it as a process."""
    if isinstance(outcome, bytes):
        return outcome
    return outcome.error if isinstance(outcome, FunctionFailed) else LuaError("operation canceled", "CANCELED", False)
