"""Prepared Lua states, made several at a time: one by one, each would cost a pass of the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from fleet import _core


class StatePool:
    """States ready to run, so that neither a workflow run nor a call waits for its own.

    make: makes a state. size: how many there are at most; they are made anew, all at once, when half of them are gone.
    Without a running event loop each taker's state is made for it.
    """

    def __init__(self, make: Callable[[], _core.LuaState], size: int) -> None:
        self._pool = _core.Pool(make, size)
        self._refilling: asyncio.Handle | None = None

    def take(self, program: _core.Program) -> _core.LuaState:
        """A state of its own for one run; it never comes back."""
        state = self._pool.take(program)
        if self._refilling is None and len(self._pool) * 2 <= self._pool.size:
            with contextlib.suppress(RuntimeError):  # nobody's loop
                self._refilling = asyncio.get_running_loop().call_soon(self._refill)
        return state

    def close(self) -> None:
        """Free the states that nobody took."""
        if self._refilling is not None:
            self._refilling.cancel()
            self._refilling = None
        self._pool.close()

    def __len__(self) -> int:
        return len(self._pool)

    def _refill(self) -> None:
        self._pool.refill()
        self._refilling = None
