"""Where an embedded server keeps its data, and who may use it.

SQLite lets two servers open one file, and they then fail each other's transactions for ever. So a data file has a lock
file beside it: the lock is held by the *server process* (it inherits the descriptor), so it is free exactly when no
server uses the data, whatever died in between. Its text tells the next one who holds it, and which ports to take again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import ServerError
from .ports import listens


@dataclass(frozen=True)
class Holder:
    """What a lock file says: the server's process id, its address (``host:port``), and the ports it listens on."""

    pid: int
    address: str
    port: int
    ui_port: int | None


def default_data_file(app_root: Path) -> Path:
    """The data file for the application at ``app_root``: ``temporal.db`` in its state folder."""
    return state_folder(app_root) / "temporal.db"


def state_folder(app_root: Path) -> Path:
    """What outlives the processes of the application at ``app_root`` is here, outside of the application's own tree.

    ``$XDG_STATE_HOME/lua-fleet/<directory name>-<hash of the path>``, ``~/.local/state`` when unset. It is not below
    the application: a reload-on-save watcher would see every change. Raises RuntimeError for a user without a home.
    """
    root = app_root.expanduser().resolve()
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    return base / "lua-fleet" / f"{root.name or 'root'}-{digest}"


def running_server(data_file: Path) -> Holder | None:
    """The server that runs on ``data_file`` now, ``None`` if there is none.

    Asks the system whether the process that the lock file names listens on its port, and leaves the lock alone: trying
    it could make a server that starts at this moment believe that the file is in use.
    """
    try:
        text = data_file.with_name(data_file.name + ".lock").read_bytes()
        holder = Holder(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None
    return holder if listens(holder.pid, holder.port) else None


class DataLock:
    """The exclusive right to run a server on one data file, from :meth:`acquire` until :meth:`close`.

    ``fd`` is to be inherited by the server; ``previous`` is what the last server left written, if anything.
    """

    def __init__(self, path: Path, fd: int, previous: Holder | None) -> None:
        self.path = path
        self.fd = fd
        self.previous = previous

    @classmethod
    def acquire(cls, data_file: Path) -> DataLock:
        """Lock ``data_file``, making its directory if need be.

        :raises ServerError: a running server holds it (the text names its pid and address), or the directory cannot
            be written.
        """
        path = data_file.with_name(data_file.name + ".lock")
        try:
            data_file.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(data_file, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(fd)
            os.close(fd)
            raise ServerError(_held(data_file, holder)) from None
        except OSError as error:
            os.close(fd)
            raise _unwritable(data_file, error) from error
        return cls(path, fd, _read(fd))

    def write(self, holder: Holder) -> None:
        """Tell others who holds the lock.

        :raises ServerError: the text cannot be written (disk full).
        """
        try:
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, json.dumps(asdict(holder)).encode(), 0)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        """Give up our share of the lock. A server that inherited it holds it on until it ends."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _read(fd: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(fd, 4096, 0)))
    except (ValueError, TypeError, OSError):
        return None


def _held(data_file: Path, holder: Holder | None) -> str:
    who = f"pid {holder.pid} at {holder.address}" if holder else "it has not said which yet"
    use = f"use that server (--address {holder.address}), " if holder else ""
    return (
        f"the data file {data_file} is in use by another embedded Temporal server ({who})\n"
        f"    {use}stop it, or run without a data file (--ephemeral)"
    )


def _unwritable(path: Path, error: OSError) -> ServerError:
    return ServerError(
        f"the embedded Temporal server cannot keep its data in {path}: {error.strerror or error}"
        + (f" ({error.filename})" if error.filename else "")
        + "\n    make the directory writable, choose another data file, or run without one (--ephemeral)"
    )
