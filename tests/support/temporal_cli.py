"""The `temporal` command line program against the test server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fleet.server.binary import find_binary


class CliError(AssertionError):
    """The program ended with an error; the text is what it wrote."""


class TemporalCli:
    """Runs `temporal ...` on one server."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def text(self, *args: str) -> str:
        """What `temporal args...` writes to stdout. Raises CliError."""
        program = await find_binary()
        process = await asyncio.create_subprocess_exec(
            str(program),
            *args,
            "--address",
            self.address,
            "--color",
            "never",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if process.returncode != 0:
            raise CliError(f"temporal {' '.join(args)}: exit {process.returncode}\n{out.decode()}{err.decode()}")
        return out.decode()

    async def json(self, *args: str) -> Any:
        """The same with JSON as output, parsed."""
        return json.loads(await self.text(*args, "--output", "json"))
