"""Turns for scripts that compute without waiting, so that many of them do not starve the event loop together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Lets one waiting script go on per pass of the event loop, first come first served."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def next(self, go: Callable[[], None]) -> None:
        """Give way to the event loop; ``go`` is called when it is this caller's turn."""
        self._waiting.append(go)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._release)

    def _release(self) -> None:
        go = self._waiting[0]
        try:
            go()
        finally:
            self._waiting.popleft()
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._release)
