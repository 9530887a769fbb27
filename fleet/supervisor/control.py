"""The control socket: a line of JSON asks, a line of JSON answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .endpoint import Answer
from .status import status_of
from .supervisor import Supervisor


class NoFleet(Exception):
    """Nobody answers at the control socket; the text says where, and what to do."""


def complete(data: bytes) -> bool:
    """Whether a request has come in full."""
    return b"\n" in data


def handler(supervisor: Supervisor) -> Callable[[bytes, Answer], None]:
    """What answers the requests: ``{"command": ...}`` to ``{"ok": true, ...}`` or ``{"ok": false, "error": ...}``."""

    def handle(data: bytes, answer: Answer) -> None:
        def reply(value: dict[str, Any]) -> None:
            answer(json.dumps(value).encode() + b"\n")

        try:
            request = json.loads(data)
            command = request["command"]
        except (ValueError, TypeError, KeyError):
            reply({"ok": False, "error": "a request is a line such as {'command': 'status'}"})
            return
        if command == "status":
            reply({"ok": True, "status": status_of(supervisor)})
        elif supervisor.ending:
            reply({"ok": False, "error": "the fleet ends"})
        elif command == "reload":
            supervisor.reloading.ask(lambda error: reply({"ok": not error, "error": error}))
        elif command == "scale" and type(request.get("workers")) is int:
            reply({"ok": True, "workers": supervisor.scale(request["workers"], "fleet scale")})
        elif command == "drain":
            supervisor.drain(why="fleet drain")
            # The connection ends with the fleet.
        elif command == "release" and isinstance(request.get("run_id"), str):
            released = supervisor.crew.suspects.release(request["run_id"])
            reply({"ok": released, "error": "" if released else "the run is not in quarantine"})
        else:
            reply({"ok": False, "error": f"not a request: {request}"})

    return handle


def ask(path: Path, request: dict[str, Any], timeout: float | None = 10.0) -> dict[str, Any]:
    """Send a request to the supervisor at `path`; its answer, empty when the fleet ended instead. Raises NoFleet.

    timeout: seconds; None waits for ever.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            pieces = []
            while piece := connection.recv(1 << 16):
                pieces.append(piece)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NoFleet(f"no fleet runs here: nobody answers at {path}\n    `fleet supervise` starts one") from None
        except TimeoutError:
            raise NoFleet(f"the fleet at {path} does not answer within {timeout:g} s") from None
        except OSError as error:
            raise NoFleet(f"{path} cannot be used: {error.strerror}") from None
    answer: dict[str, Any] = json.loads(b"".join(pieces) or b"{}")
    return answer
