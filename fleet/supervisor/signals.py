"""Signals as a queue: a handler does nothing but write the number into a pipe, which the loop waits on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HANDLED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR1,
    signal.SIGCHLD,
)


class SignalQueue:
    """The signals that came since they were last taken.

    Attributes:
        descriptor: readable when there are some.
    """

    def __init__(self) -> None:
        self.descriptor, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def descriptors(self) -> list[int]:
        """What a forked child closes."""
        return [self.descriptor, self._write]

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Queue the handled signals for the length of a `with` block."""
        # Python's own wake-up writes the number from the C handler: a signal during a system call is not lost.
        before_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        before = {number: signal.signal(number, _nothing) for number in HANDLED}
        try:
            yield
        finally:
            signal.set_wakeup_fd(before_fd)
            for number, handler in before.items():
                signal.signal(number, handler)

    def take(self) -> list[signal.Signals]:
        """The signals since the last call, in their order."""
        try:
            return [signal.Signals(number) for number in os.read(self.descriptor, 4096)]
        except BlockingIOError:
            return []


def _nothing(number: int, frame: FrameType | None) -> None:
    """The wake-up has queued it."""


def reset_in_child() -> None:
    """Give the handled signals their default meaning again, in a child that inherited the queue."""
    signal.set_wakeup_fd(-1)
    for number in HANDLED:
        signal.signal(number, signal.SIG_DFL)
