"""Runs the asynchronous part of a command, and ends it on Ctrl-C and SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine
from typing import Any

from .exit import INTERRUPTED, TERMINATED, leave
from .output import on_terminal, say

_SAME_REQUEST = 0.5
"""Seconds within which a second signal is the first one again: `timeout` and `make` pass on what the terminal sent."""


def run_async(work: Coroutine[Any, Any, int], loop: asyncio.AbstractEventLoop | None = None) -> int:
    """Run `work` to its exit code, on `loop` or on one of asyncio's own. The first signal cancels it, so that it can
    tidy up; a second one ends at once.

    The loop is left open: closing it waits for threads, and the process ends right after.
    """
    loop = loop or asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    task = loop.create_task(work)
    code = 0
    asked = 0.0

    def stop(signum: int, exit_code: int) -> None:
        nonlocal code, asked
        if code:
            if time.monotonic() - asked > _SAME_REQUEST:
                leave(code)
            return
        code, asked = exit_code, time.monotonic()
        if signum == signal.SIGINT and on_terminal():
            say("\nstopping ... (Ctrl-C again: at once)", "dim")
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, stop, signal.SIGINT, INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, stop, signal.SIGTERM, TERMINATED)
    try:
        result = loop.run_until_complete(task)
    except asyncio.CancelledError:
        return code or INTERRUPTED
    return code or result
