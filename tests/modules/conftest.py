"""Runs a few lines of Lua as a function of an application."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest_asyncio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "activity"))

from activity_apps import write_app

from fleet.activity import Functions

RunLua = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture
async def run_lua(tmp_path: Path) -> AsyncIterator[RunLua]:
    """await run_lua(body, *args, extra=yaml) -> the result of a function with this body, as Python values."""
    async with AsyncExitStack() as stack:
        count = 0

        async def run(body: str, *args: Any, extra: str = "") -> Any:
            nonlocal count
            count += 1
            root = tmp_path / str(count)
            root.mkdir()
            functions = await stack.enter_async_context(Functions(write_app(root, {"script": body}, extra=extra)))
            return await functions.call_json("app:script", args)

        yield run
