"""A file system of some megabytes, which a fleet has in a mount namespace of its own: nothing of it outlives the fleet."""

from __future__ import annotations

import errno
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest
from supervised import Supervised, until

NAMESPACE = ["unshare", "--mount", "--map-root-user"]

_MOUNT = """
mount -t tmpfs -o size="$2" none "$1" && mount --bind "$1" /dev/shm || exit 99
cd "$1"; export TMPDIR="$1"; shift 2; exec "$@"
"""


@cache
def no_namespaces() -> str:
    """Why a fleet cannot have a small disk here, "" when it can."""
    ran = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    return ran.stderr.strip() if ran.returncode else ""


def on_small_disk(disk: Path, size: str) -> list[str]:
    """What goes before a command so that its directory, temporary files and shared memory are on a disk of `size`.

    Skips the test where mount namespaces are missing; under CI that is an error.
    """
    why = no_namespaces()
    if why:
        text = f"a small file system can only be mounted where unshare(1) makes mount namespaces: {why}"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
    disk.mkdir()
    return [*NAMESPACE, "sh", "-c", _MOUNT, "sh", str(disk), size]


LOG_THERE = ["sh", "-c", 'exec "$@" >log 2>&1', "sh"]
"""Goes after `on_small_disk`: the log is there too."""


class SmallDisk:
    """The small disk of a fleet that runs with its log there, seen from outside of its namespace.

    Attributes:
        path: leads there, for as long as this object is open.
    """

    def __init__(self, fleet: Supervised, disk: Path) -> None:
        inside = Path(f"/proc/{fleet.process.pid}/root{disk}")
        fleet.until(lambda: (inside / "log").exists())
        # Through a descriptor the disk can be read when the fleet, and with it the namespace, is gone.
        self._descriptor = os.open(inside, os.O_PATH | os.O_DIRECTORY)
        self.path = Path(f"/proc/self/fd/{self._descriptor}")

    @property
    def free(self) -> int:
        """Bytes that are free."""
        facts = os.statvfs(self.path)
        return facts.f_bavail * facts.f_frsize

    @property
    def log(self) -> str:
        """What the fleet has logged."""
        return (self.path / "log").read_text()

    def fill(self) -> None:
        """Leave no byte free."""

        def full() -> bool:
            with (self.path / "filler").open("ab", buffering=0) as filler:
                try:
                    while True:
                        filler.write(bytes(4096))
                except OSError as error:
                    assert error.errno == errno.ENOSPC
            return self.free == 0

        until(full)

    def empty(self) -> None:
        """Free what `fill` took."""
        (self.path / "filler").unlink()

    def close(self) -> None:
        os.close(self._descriptor)
