"""/livez, /readyz, /status and /metrics: answered from the shared page, never by asking a worker."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable

from fleet.metrics.exposition import CONTENT_TYPE

from .endpoint import Answer
from .status import status_of
from .supervisor import Supervisor

log = logging.getLogger("fleet.supervisor")

_TEXT = "text/plain; charset=utf-8"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=64)


def complete(data: bytes) -> bool:
    """Whether a request has come in full: a GET has no body."""
    return b"\r\n\r\n" in data


def handler(supervisor: Supervisor, metrics: Callable[[], bytes]) -> Callable[[bytes, Answer], None]:
    """What answers the requests. `metrics`: the text of /metrics (fleet.supervisor.metrics)."""

    def handle(data: bytes, answer: Answer) -> None:
        method, _, rest = data.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        status, type, body = _reply(method, path)
        head = f"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        answer(head.encode() + (b"" if method == b"HEAD" else body))

    def _reply(method: bytes, path: bytes) -> tuple[str, str, bytes]:
        if method not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", _TEXT, b"only GET and HEAD\n"
        if path == b"/livez":
            # That it answers is the answer: the loop turns. An outage of Temporal must not restart the fleet.
            return "200 OK", _TEXT, b"ok\n"
        if path == b"/readyz":
            crew = supervisor.crew
            text = f"{crew.serving} of {crew.target} workers serve{', the fleet ends' if supervisor.ending else ''}\n"
            return "200 OK" if supervisor.ready else "503 Service Unavailable", _TEXT, text.encode()
        if path == b"/status":
            return "200 OK", "application/json", json.dumps(status_of(supervisor)).encode() + b"\n"
        if path == b"/metrics":
            try:
                return "200 OK", CONTENT_TYPE, metrics()
            except Exception:
                # Files that somebody has removed or damaged are no reason to end a fleet.
                log.exception("the metrics cannot be read")
                return "500 Internal Server Error", _TEXT, b"the metrics cannot be read: see the log of the fleet\n"
        return "404 Not Found", _TEXT, b"/livez, /readyz, /status, /metrics\n"

    return handle
