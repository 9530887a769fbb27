"""The process between us and the Temporal server: while we live it lives, when we are gone so is it.

Run as a script, never imported: ``python -I -S guard.py PARENT_PID GRACE_SECONDS LOCK_FD|-1 COMMAND...``.

Why a process of its own: a death signal asked for with PR_SET_PDEATHSIG follows the *thread* that forked, and a
fork-time hook in a process full of threads can deadlock. This process has one thread, so it can ask for that signal
safely on the server's behalf, and it watches us through a pidfd, which no thread of ours can upset and no child of
ours can inherit. Whatever dies first:

- we end, in any way: the pidfd (or end of file on stdin) wakes the guard, it stops the server;
- we close its stdin: the same, that is the orderly stop;
- the guard is killed: the kernel kills the server.

Protocol: the guard writes one line to stdout, ``pid N`` or ``error TEXT``, and exits with the server's status as a
shell would: 128 and the number of the signal that ended it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
EXIT_NOT_STARTED = 125


class _Stop(BaseException):
    pass


def main(argv: list[str]) -> int:
    parent, grace, lock_fd, command = int(argv[1]), float(argv[2]), int(argv[3]), argv[4:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    try:
        parent_fd = os.pidfd_open(parent)
    except ProcessLookupError:
        return EXIT_NOT_STARTED
    # The number may already belong to a stranger; it is our parent or nobody.
    if os.getppid() != parent:
        return EXIT_NOT_STARTED
    try:
        server = _spawn(command, lock_fd)
    except OSError as error:
        _say(f"error {error.strerror or error}")
        return EXIT_NOT_STARTED
    _say(f"pid {server.pid}")
    try:
        if _server_ended_first(server, parent_fd):
            status = server.wait()
            return 128 - status if status < 0 else status
    except _Stop:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return _end(server, grace)


def _spawn(command: list[str], lock_fd: int) -> subprocess.Popen[bytes]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    guard = os.getpid()

    def die_with_guard() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:
            os._exit(EXIT_NOT_STARTED)

    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        pass_fds=(lock_fd,) if lock_fd >= 0 else (),
        preexec_fn=die_with_guard,
    )


def _server_ended_first(server: subprocess.Popen[bytes], parent_fd: int) -> bool:
    server_fd = os.pidfd_open(server.pid)
    poll = select.poll()
    for fd in (server_fd, parent_fd, 0):
        poll.register(fd, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if server_fd in ready:
            return True
        if parent_fd in ready or not os.read(0, 1):
            return False


def _end(server: subprocess.Popen[bytes], grace: float) -> int:
    server.terminate()
    try:
        server.wait(grace)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    return 0


def _say(line: str) -> None:
    # Nobody may be left to read it; the wait that follows finds that out.
    with contextlib.suppress(OSError):
        os.write(1, line.encode() + b"\n")


def _stop(_signum: int, _frame: object) -> None:
    raise _Stop


if __name__ == "__main__":
    os._exit(main(sys.argv))
