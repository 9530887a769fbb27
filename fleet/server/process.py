"""One run of the server program under its guard: spawn, watch, stop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from .errors import ServerError

_GUARD = Path(__file__).with_name("guard.py")
_TAIL_BYTES = 16 * 1024
_MARGIN = 2.0


class ServerProcess:
    """A server process that cannot outlive us (see :mod:`fleet.server.guard`).

    ``pid`` is the server's process id, ``stopping`` whether :meth:`stop` was called. What it writes goes to ``log``, a
    file of the caller.
    """

    def __init__(self, guard: subprocess.Popen[bytes], pid: int, log: BinaryIO, grace: float) -> None:
        self.pid = pid
        self._guard = guard
        self._log = log
        self._grace = grace
        self.stopping = False
        self._ended = asyncio.Event()
        self._watch: int | None = os.pidfd_open(guard.pid)
        asyncio.get_running_loop().add_reader(self._watch, self._on_end)

    @classmethod
    async def spawn(cls, command: Sequence[str], *, log: BinaryIO, lock_fd: int, grace: float) -> ServerProcess:
        """Start ``command``; on :meth:`stop` it has ``grace`` seconds between SIGTERM and SIGKILL.

        The server inherits the descriptor ``lock_fd`` (-1: none).

        :raises ServerError: the program cannot be executed.
        """
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), str(grace), str(lock_fd), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=(lock_fd,) if lock_fd >= 0 else (),
            cwd="/",
            env=_environment(os.environ),
            # The terminal's Ctrl-C is for us; we then stop the server in our own order.
            start_new_session=True,
        )
        assert guard.stdout is not None
        try:
            line = await asyncio.to_thread(guard.stdout.readline)
        except BaseException:
            guard.kill()
            guard.wait()
            raise
        word, _, rest = line.decode(errors="replace").strip().partition(" ")
        if word != "pid":
            guard.kill()
            guard.wait()
            _close_pipes(guard)
            raise ServerError(f"cannot run the Temporal program {command[0]}: {rest or 'its guard process ended'}")
        return cls(guard, int(rest), log, grace)

    @property
    def status(self) -> int | None:
        """The exit status as a shell tells it (128 and a signal's number), ``None`` while it runs."""
        return self._guard.poll()

    async def wait(self) -> int:
        """Wait for the server to end, for whatever reason, and return its status."""
        await self._ended.wait()
        return self._guard.wait()

    async def stop(self) -> None:
        """Stop the server: SIGTERM, after the grace SIGKILL. Cancelling this kills it at once. May be called again."""
        assert self._guard.stdin is not None
        self.stopping = True
        try:
            if not self._guard.stdin.closed:
                self._guard.stdin.close()
            await asyncio.wait_for(self._ended.wait(), self._grace + _MARGIN)
        except TimeoutError:
            pass
        finally:
            # The kernel kills the server with its guard.
            if self._guard.poll() is None:
                self._guard.kill()
                self._guard.wait()
            self._unwatch()
            self._ended.set()
            _close_pipes(self._guard)

    def tail(self) -> str:
        """The last text that the server wrote, at most 16 KiB of it."""
        size = os.fstat(self._log.fileno()).st_size
        data = os.pread(self._log.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        return data.decode(errors="replace")

    def _on_end(self) -> None:
        self._unwatch()
        self._ended.set()

    def _unwatch(self) -> None:
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch)
            os.close(self._watch)
            self._watch = None


def _close_pipes(guard: subprocess.Popen[bytes]) -> None:
    for pipe in (guard.stdin, guard.stdout):
        if pipe is not None:
            pipe.close()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what points the ``temporal`` CLI at some other server or profile."""
    return {name: value for name, value in environ.items() if not name.startswith("TEMPORAL_")}
