"""A listening socket in the supervisor's loop: short requests, short answers, nobody who can hold the loop up."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress

Answer = Callable[[bytes], None]
"""Sends the answer and closes; may be called later."""

_MOST_CONNECTIONS = 64
_MOST_BYTES = 8192
_PATIENCE = 5.0
"""Seconds for a request to come in full, and for an answer to be taken."""


class Endpoint:
    """Accepts connections, each of which brings one request."""

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        complete: Callable[[bytes], bool],
        handle: Callable[[bytes, Answer], None],
    ) -> None:
        """`complete`: whether a request has come in full. `handle`: answers one, at once or later."""
        self._listener = listener
        self._selector = selector
        self._complete = complete
        self._handle = handle
        self._connections: list[_Connection] = []
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ, self._accept)

    def tick(self) -> None:
        """Close the connections of those who take too long."""
        now = time.monotonic()
        self._connections = [connection for connection in self._connections if not connection.over(now)]

    def close(self) -> None:
        """Close everything; answers that are not on their way are not sent."""
        for connection in self._connections:
            connection.close()
        self._selector.unregister(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            accepted, _ = self._listener.accept()
            self.tick()
            if len(self._connections) >= _MOST_CONNECTIONS:
                accepted.close()
                return
            self._connections.append(_Connection(accepted, self._selector, self._complete, self._handle))


class _Connection:
    def __init__(
        self,
        accepted: socket.socket,
        selector: selectors.BaseSelector,
        complete: Callable[[bytes], bool],
        handle: Callable[[bytes, Answer], None],
    ) -> None:
        self._socket = accepted
        self._selector = selector
        self._complete = complete
        self._handle = handle
        self._came = b""
        self._leaving = b""
        self._deadline: float | None = time.monotonic() + _PATIENCE
        self._closed = False
        accepted.setblocking(False)
        selector.register(accepted, selectors.EVENT_READ, self._read)

    def over(self, now: float) -> bool:
        """Whether it is closed; it is when its time is over."""
        if not self._closed and self._deadline is not None and now > self._deadline:
            self.close()
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._selector.unregister(self._socket)
            self._socket.close()

    def _read(self) -> None:
        try:
            piece = self._socket.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not piece or len(self._came) > _MOST_BYTES:
            self.close()
            return
        if self._deadline is None:
            # It has asked already, and its answer takes long.
            return
        self._came += piece
        if self._complete(self._came):
            self._deadline = None
            self._handle(self._came, self._answer)

    def _answer(self, data: bytes) -> None:
        if self._closed:
            return
        self._leaving = data
        self._deadline = time.monotonic() + _PATIENCE
        self._selector.modify(self._socket, selectors.EVENT_WRITE, self._write)
        self._write()

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._leaving)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._leaving = self._leaving[sent:]
        if not self._leaving:
            self.close()
