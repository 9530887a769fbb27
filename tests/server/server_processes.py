"""Watching processes come and go."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0

SERVE = """
import asyncio, os, signal, sys
from pathlib import Path
from fleet.server import EmbeddedServer

async def main():
    data_file = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    async with EmbeddedServer.start(data_file=data_file) as server:
        print(server.pid, server._process._guard.pid, server.address, flush=True)
        {then}
        await asyncio.sleep(3600)

# What a shell starts in the background ignores Control-C, and so does all that comes of it.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    asyncio.run(main())
finally:
    # An interpreter that shuts down beside the threads of Temporal's core may crash or hang.
    os._exit(1)
"""


def run_script(script: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start ``script`` in a Python of its own, which can import the checkout and leads a process group."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        start_new_session=True,
    )


def gone(*pids: int) -> bool:
    """Whether all of ``pids`` end, waiting for them as long as it can reasonably take."""
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([fd], [], [], PATIENCE)[0]:
                print(f"process {pid} is still there:", Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
                return False
        finally:
            os.close(fd)
    return True


def alive(pid: int) -> bool:
    """Whether ``pid`` runs now."""
    fd = os.pidfd_open(pid)
    try:
        return not select.select([fd], [], [], 0)[0]
    finally:
        os.close(fd)
