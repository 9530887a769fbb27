"""A worker in a process of its own, to be killed: ``worker_process.py APP ADDRESS``. Prints "ready" when it polls."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import fleet
from fleet.worker.client import connect
from fleet.worker.serve import serve


async def main() -> None:
    app, address = fleet.load_app(sys.argv[1]), sys.argv[2]
    # A worker that was killed goes on owning the cached runs' tasks for this time.
    overrides = {
        "graceful_shutdown_timeout": timedelta(0),
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=1),
    }
    async with serve(app, lambda entry: connect(entry, address=address, plaintext=True), overrides=overrides):
        print("ready", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
