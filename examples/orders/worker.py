"""Serves the Lua workflows and activities of this directory from an ordinary temporalio Worker.

Usage: TEMPORAL_ADDRESS=localhost:7233 python worker.py
"""

import asyncio
import os
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

import fleet


async def main() -> None:
    """Serve until killed."""
    app = fleet.load_app(Path(__file__).parent)
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    async with Worker(client, task_queue="orders", plugins=[fleet.LuaPlugin(app)]):
        print(f"worker {os.getpid()} is polling", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
