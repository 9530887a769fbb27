"""Forking: only from the one thread of the supervisor, and a child that does not outlive it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress

from .signals import reset_in_child

_PR_SET_PDEATHSIG = 1
_FAILED = 70

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def fork(work: Callable[[], int], close: Iterable[int]) -> int:
    """Run `work` in a child process, which ends with the code that it returns; the child's process id.

    close: descriptors of the supervisor that are none of the child's business. When the supervisor dies, the child
    gets SIGTERM.
    """
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads: locks that they hold would be held in the child for ever"
    parent = os.getpid()
    # A signal between fork and reset would be written into the pipe of the parent.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        for stream in (sys.stdout, sys.stderr):
            # What a full disk does not take is no reason to have no workers.
            with suppress(OSError):
                stream.flush()
        pid = os.fork()
        if pid == 0:
            _child(work, parent, close, mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def _child(work: Callable[[], int], parent: int, close: Iterable[int], mask: set[int | signal.Signals]) -> None:
    code = _FAILED
    try:
        reset_in_child()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            # It died before the line above.
            os._exit(0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for descriptor in close:
            os.close(descriptor)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        # Not the ordinary end: that would run the exit handlers of the parent.
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
