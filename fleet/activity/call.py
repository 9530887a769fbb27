"""Lua functions on asyncio: calls of ``function.lua`` entries in this process, each in a Lua state of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from fleet import _core
from fleet._core import LuaError
from fleet.lua import Programs, ScriptProblem, StatePool
from fleet.modules import CALL_HOST, HOST, REQUESTS
from fleet.modules.caller import Exchange
from fleet.registry import App

from . import local_calls, payloads
from .context import ActivityContext
from .failure import FunctionFailed, crashed
from .finished import finished
from .running import Call
from .shared import SharedResources
from .turns import Turns

T = TypeVar("T")

MEMORY_LIMIT = 64 << 20
"""Bytes of Lua memory that one call may use."""

POOL_SIZE = 16
"""Lua states that wait for their call."""

CLEANUP_SECONDS = 5.0
"""How long a cancelled script may go on."""

MAX_DEPTH = 100
"""How deep functions may call functions; what is deeper has no end."""


class Functions:
    """The functions of an application, callable. One per process; use it on one event loop, and close it.

    Attributes:
        app, programs: what can be called.
        memory_limit, cleanup_seconds: as given.
        host, call_host, requests: what Lua may ask for, by name (fleet.modules says what belongs where); those who
            build on functions may add to them before the first call.
        shared: what the calls have in common.
        running: how many calls run now.
    """

    def __init__(
        self,
        app: App,
        programs: Programs | None = None,
        *,
        memory_limit: int = MEMORY_LIMIT,
        pool_size: int = POOL_SIZE,
        cleanup_seconds: float = CLEANUP_SECONDS,
    ) -> None:
        """
        Args:
            app: the application.
            programs: its compiled entries, when the process has them already.
            memory_limit: bytes of Lua memory per call.
            pool_size: prepared Lua states to keep ready.
            cleanup_seconds: how long a cancelled script may go on before it is ended.
        """
        self.app = app
        self.programs = programs or Programs(app)
        self.cleanup_seconds = cleanup_seconds
        self.memory_limit = memory_limit
        self.host: dict[str, Callable[..., Any]] = dict(HOST)
        self.call_host: dict[str, Callable[..., Any]] = {**CALL_HOST, **local_calls.CALL_HOST}
        self.requests: dict[str, Callable[..., Awaitable[Any]]] = {**REQUESTS, **local_calls.REQUESTS}
        self.shared = SharedResources()
        self.turns = Turns()
        self.running = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pool = StatePool(
            lambda: _core.LuaState(engine="engine_function", sliced=True, memory_limit=memory_limit), pool_size
        )

    async def call(
        self,
        entry_id: str,
        arguments: Sequence[bytes],
        *,
        context: Mapping[str, Any] | bytes | None = None,
        activity: ActivityContext | None = None,
    ) -> bytes:
        """Call a function (or a process, as an activity) and wait for its result (spec/activities.md, section 2).

        Args:
            entry_id: ``namespace:name``.
            arguments: serialized ``temporal.api.common.v1.Payload``, one per Lua argument.
            context: the values of ``ctx``, or the serialized payload that holds them.
            activity: the activity that this is.

        Returns:
            The serialized payload of the result.

        Raises:
            FunctionFailed: the function failed, or there is none (kind NOT_FOUND).
            asyncio.CancelledError: this task was cancelled, the script was told so, and it ended with that.
        """
        encoded = context if context is None or isinstance(context, bytes) else encode_context(context)
        return await self.start(entry_id, arguments, encoded, activity=activity)

    async def call_json(
        self, entry_id: str, args: Sequence[Any] = (), *, context: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a function with JSON-like Python values; its result as one. Raises as ``call``, and ValueError for
        arguments that JSON cannot hold."""
        return payloads.decode(await self.call(entry_id, [payloads.encode(arg) for arg in args], context=context))

    async def start(
        self,
        entry_id: str,
        arguments: Sequence[bytes],
        context: bytes | None,
        *,
        activity: ActivityContext | None = None,
        exchange: Exchange | None = None,
        depth: int = 0,
    ) -> bytes:
        """As ``call``, for a call that is ``depth`` calls below one from outside; ``exchange`` is what it answers."""
        return await self.run(
            self.prepare(entry_id, context, activity=activity, exchange=exchange, depth=depth), arguments
        )

    def prepare(
        self,
        entry_id: str,
        context: bytes | None,
        *,
        activity: ActivityContext | None = None,
        exchange: Exchange | None = None,
        depth: int = 0,
    ) -> Call:
        """A call that can be told things before it runs; ``run`` it, or its Lua state stays. Raises FunctionFailed."""
        if depth > MAX_DEPTH:
            raise FunctionFailed(
                LuaError(
                    f"cannot call {entry_id}: functions have called each other {MAX_DEPTH} deep"
                    " (a recursion without end?)",
                    "INTERNAL",
                    False,
                )
            )
        return Call(self, entry_id, self._state(entry_id), context, activity=activity, exchange=exchange, depth=depth)

    async def run(self, call: Call, arguments: Sequence[bytes]) -> bytes:
        """Run a prepared call; result and errors are those of ``call``."""
        return await finished(partial(call.begin, list(arguments)), call.cancel)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that ``close`` waits for, and that is not lost while nobody else holds it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @classmethod
    def open(cls, app: App, programs: Programs | None = None, **options: Any) -> Self:
        """The functions for the length of an ``async with`` block; arguments as for the class."""
        return cls(app, programs, **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End what still runs in the background, and give back all resources."""
        for task in list(self._tasks):
            task.cancel()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.shared.close()
        self._pool.close()

    def _state(self, entry_id: str) -> _core.LuaState:
        if entry_id in self.app.workflows:
            raise FunctionFailed(
                LuaError(
                    f"{entry_id} is a workflow, not a function: start it with process.spawn or process.exec",
                    "INVALID",
                    False,
                )
            )
        try:
            program = self.programs.get(entry_id)
        except KeyError:
            raise FunctionFailed(LuaError(f"no handler registered for target {entry_id}", "NOT_FOUND", False)) from None
        except ScriptProblem as problem:
            raise FunctionFailed(crashed(entry_id, str(problem))) from None
        return self._pool.take(program)


def encode_context(context: Mapping[str, Any]) -> bytes | None:
    """The payload of a context; None for an empty one."""
    return payloads.encode(dict(context)) if context else None
