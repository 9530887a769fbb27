"""The files of a running supervisor: its control socket and its pid file, and that they do not outlive it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path

_LONGEST_SOCKET = 107
"""Bytes; what the kernel has room for."""


class FileInUse(Exception):
    """Another supervisor has the file; the text says which and what to do."""


def default_socket(app_root: Path) -> Path:
    """The control socket for the application at `app_root`: in the user's runtime directory.

    ``$XDG_RUNTIME_DIR/lua-fleet``, else a directory below the temporary one that only this user may enter. Raises
    FileInUse when somebody else owns that.
    """
    root = app_root.resolve()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.path.isdir(runtime):
        folder = Path(runtime) / "lua-fleet"
    else:
        folder = Path(tempfile.gettempdir()) / f"lua-fleet-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise FileInUse(f"{folder} is open to others\n    remove it, or give another place with control_socket")
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    return folder / f"{(root.name or 'root')[:40]}-{digest}.sock"


def listen(path: Path) -> socket.socket:
    """A Unix socket that listens at `path`, for this user alone. Raises FileInUse, OSError."""
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        raise OSError(
            f"the path of a Unix socket has at most {_LONGEST_SOCKET} bytes\n"
            "    give a shorter one with control_socket (--control-socket)"
        )
    if _answers(path):
        raise FileInUse(
            f"{path} is in use: a fleet runs already\n"
            "    `fleet status` shows it; give a second one a control_socket of its own"
        )
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(mask)
    listener.listen(16)
    return listener


def write_pid(path: Path) -> None:
    """Write the pid file in one step. Raises FileInUse when a living process is recorded there, OSError."""
    recorded = _recorded(path)
    if recorded and recorded != os.getpid() and _alive(recorded):
        raise FileInUse(f"{path} names process {recorded}, which runs\n    end it, or give another pid_file")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{os.getpid()}\n")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def identity(path: Path) -> tuple[Path, int, int]:
    """`path` with device and inode: what `remove` takes."""
    facts = path.lstat()
    return path, facts.st_dev, facts.st_ino


def remove(path: Path, device: int, inode: int) -> None:
    """Remove the file if it is still this one, and not that of a successor."""
    with contextlib.suppress(OSError):
        facts = path.lstat()
        if (facts.st_dev, facts.st_ino) == (device, inode):
            path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except TimeoutError:
            return True
        return True


def _recorded(path: Path) -> int:
    try:
        text = path.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
