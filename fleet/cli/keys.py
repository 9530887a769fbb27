"""Keys that are pressed while a command draws on the terminal."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Wait = Callable[[float], str]
"""Wait at most so many seconds for keys; what was pressed, "" when nothing was."""


@contextmanager
def pressed_keys() -> Iterator[Wait]:
    """Keys one by one and unseen, for the length of a `with` block; then the terminal is as it was.

    Ctrl-C is still a signal. Ctrl-Z is a key like others: a shell would get its terminal back with our picture on it.
    Without a terminal on stdin no key is ever pressed.
    """
    if not sys.stdin.isatty():
        yield _nobody
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        ours = termios.tcgetattr(descriptor)
        ours[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(descriptor, termios.TCSANOW, ours)
        yield _wait
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _wait(seconds: float) -> str:
    descriptor = sys.stdin.fileno()
    ready, _, _ = select.select([descriptor], [], [], seconds)
    if not ready:
        return ""
    pressed = os.read(descriptor, 64)
    if not pressed:
        # The terminal is gone: it would be ready for ever.
        raise KeyboardInterrupt
    return pressed.decode(errors="replace")


def _nobody(seconds: float) -> str:
    time.sleep(seconds)
    return ""
