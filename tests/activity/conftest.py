"""The functions of an application made of a few lines of Lua."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio
from activity_apps import MODULES, write_app

from fleet.activity import Functions


@pytest_asyncio.fixture
async def functions_of(tmp_path: Path) -> AsyncIterator[Callable[..., Functions]]:
    """functions_of(name=lua, ...) -> the Functions of such an application, closed at the end of the test."""
    made: list[Functions] = []

    def make(
        extra: str = "", modules: str = MODULES, options: dict[str, Any] | None = None, **sources: str
    ) -> Functions:
        functions = Functions(write_app(tmp_path, sources, extra=extra, modules=modules), **(options or {}))
        made.append(functions)
        return functions

    yield make
    for functions in made:
        await functions.close()
