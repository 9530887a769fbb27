"""What a module may know of the call that it serves, and how it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from fleet._core import LuaError
from fleet.registry import EnvRegistry

T = TypeVar("T")


class Shared(Protocol):
    """What the calls of one process have in common, such as a pool of connections."""

    def once(self, key: str, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> T:
        """The resource ``key``, made on first use; closed when the process has no more use for calls."""
        ...


class Exchange(Protocol):
    """An HTTP exchange, by what the Lua module ``http`` may ask of it; functions get the exchange and the call first.

    Attributes:
        operations: those that need no waiting, by name.
        requests: those that wait for the client.
    """

    @property
    def operations(self) -> Mapping[str, Callable[..., Any]]: ...

    @property
    def requests(self) -> Mapping[str, Callable[..., Awaitable[Any]]]: ...


class Caller(Protocol):
    """The running call.

    Attributes:
        entry_id: id of the entry that runs.
        env: variables of the application.
        shared: resources of the process.
        exchange: the HTTP exchange that the call answers, None if it answers none.
        room: how many bytes a value for the script may have.
        log_fields: what identifies the call in a log line.
    """

    @property
    def entry_id(self) -> str: ...

    @property
    def env(self) -> EnvRegistry: ...

    @property
    def shared(self) -> Shared: ...

    @property
    def exchange(self) -> Exchange | None: ...

    @property
    def room(self) -> int: ...

    @property
    def log_fields(self) -> Mapping[str, Any]: ...

    def keep(self, value: Any, close: Callable[[], None]) -> int:
        """Hold ``value`` for the script, which gets its number; ``close`` is called by the end of the call."""
        ...

    def kept(self, number: int) -> Any:
        """The value of a number, None when it has been dropped."""
        ...

    def drop(self, number: int) -> None:
        """Close a kept value now. A number that is unknown does nothing."""
        ...


class RequestFailed(Exception):
    """A request that failed in a way that the script is told about; ``error`` is what it gets."""

    def __init__(
        self, kind: str, message: str, *, retryable: bool | None = False, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.error = LuaError(message, kind, retryable, dict(details) if details else None)


def raw(value: str | bytes) -> bytes:
    """The bytes of a Lua string."""
    return value.encode() if isinstance(value, str) else value


def text(value: str | bytes) -> str:
    """A Lua string as text; what is not UTF-8 is shown as replacement characters."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
