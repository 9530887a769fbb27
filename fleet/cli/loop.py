"""Runs the asynchronous part of a command, and ends it on Ctrl-C and SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from .exit import INTERRUPTED, TERMINATED, leave
from .output import on_terminal, say


def run_async(work: Coroutine[Any, Any, int]) -> int:
    """Run `work` to its exit code. The first signal cancels it, so that it can tidy up; a second one ends at once.

    The loop is left open: closing it waits for threads, and the process ends right after.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    task = loop.create_task(work)
    code = 0

    def stop(signum: int, exit_code: int) -> None:
        nonlocal code
        if code:
            leave(exit_code)
        code = exit_code
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
