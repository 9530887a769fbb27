"""Real servers on free ports, and a client."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "worker"))

from http_apps import write_http_app

from fleet.activity import Functions
from fleet.http import HttpServer, http_servers


@pytest_asyncio.fixture
async def serve_lua(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[HttpServer]]]:
    """await serve_lua({"GET /path": lua, ...}, service=, router=, extra=, drain=) -> a server that listens."""
    async with AsyncExitStack() as stack:

        async def start(handlers: dict[str, str], *, drain: float = 2.0, **texts: Any) -> HttpServer:
            app = write_http_app(tmp_path, handlers, **texts)
            functions = await stack.enter_async_context(Functions.open(app))
            (server,) = http_servers(functions, drain=drain)
            await server.start()
            stack.push_async_callback(server.stop)
            return server

        yield start


@pytest_asyncio.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
