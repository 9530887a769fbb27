"""TCP ports of the loopback interface: finding free ones, and whose they are."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_TCP_LISTEN = "0A"


def free_port(ip: str, preferred: int | None = None) -> int:
    """A port nobody listens on at ``ip`` right now; ``preferred`` if that one is free.

    The answer can be out of date at once: whoever uses it must be ready to come back for another.
    """
    if preferred is not None and is_free(ip, preferred):
        return preferred
    with _socket(ip) as sock:
        sock.bind((ip, 0))
        return int(sock.getsockname()[1])


def is_free(ip: str, port: int) -> bool:
    """Whether a server could listen on ``ip:port`` now."""
    with _socket(ip) as sock:
        try:
            sock.bind((ip, port))
        except OSError:
            return False
        return True


def listens(pid: int, port: int) -> bool:
    """Whether process ``pid`` has a listening TCP socket on ``port``.

    An answer on a port proves nothing about who answers: between our choice of a port and the server's bind, another
    Temporal server may have taken it. Where ``/proc`` does not show the process's files the answer is ``True``.
    """
    try:
        # A kernel without IPv6 has no tcp6.
        tables = [table for table in (Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6")) if table.exists()]
        inodes = {
            fields[9]
            for table in tables
            for line in table.read_text().splitlines()[1:]
            if (fields := line.split())[3] == _TCP_LISTEN and int(fields[1].rpartition(":")[2], 16) == port
        }
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except (FileNotFoundError, ProcessLookupError):
        return not os.path.isdir("/proc/self/fd")
    except PermissionError:
        return True
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return any(_link(f"/proc/{pid}/fd/{fd}") in wanted for fd in descriptors)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _socket(ip: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM)
    # As the server does it: connections in TIME_WAIT do not count, a listener does.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock
