"""What the calls of one process have in common, such as a pool of connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class SharedResources:
    """Resources by name: made on first use, closed together."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Any, Callable[[Any], Awaitable[None]]]] = {}

    def once(self, key: str, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> T:
        """The resource ``key``; ``make`` makes it on first use, ``close`` is awaited at the end of the process."""
        entry = self._made.get(key)
        if entry is None:
            entry = self._made[key] = (make(), close)
        resource: T = entry[0]
        return resource

    async def close(self) -> None:
        """Close all of them, the last one made first."""
        while self._made:
            _, (resource, close) = self._made.popitem()
            await close(resource)
