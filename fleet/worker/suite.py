"""The application's own tests: function.lua entries with ``meta.type: test``, called without arguments."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from temporalio.api.common.v1 import Payload

from fleet.activity import FunctionFailed, Functions
from fleet.registry import App, FunctionEntry

from .run_failure import RunFailure, lua_failure


@dataclass(frozen=True)
class Filter:
    """``KEY=VALUE`` over an entry's ``meta``: `key` may be a dotted path; a list matches by each of its items."""

    key: str
    value: str

    def matches(self, entry: FunctionEntry) -> bool:
        """Whether the entry has it; the key ``id`` is the entry's id."""
        found: Any = {"id": entry.id, **entry.meta}
        for part in self.key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        values = found if isinstance(found, list) else [found]
        return any(value is not None and _text(value) == self.value for value in values)


@dataclass(frozen=True)
class TestResult:
    """How a test ended.

    Attributes:
        entry: the test.
        seconds: how long it took.
        failure: why it failed, None when it passed.
    """

    entry: FunctionEntry
    seconds: float
    failure: RunFailure | None = None

    @property
    def suite(self) -> str:
        """``meta.suite``, else the namespace of the entry."""
        return str(self.entry.meta.get("suite") or self.entry.id.partition(":")[0])


def tests_of(app: App, filters: Sequence[Filter] = ()) -> list[FunctionEntry]:
    """The tests that all filters match, in the order of the files."""
    tests = [entry for entry in app.functions.values() if entry.meta.get("type") == "test"]
    return [entry for entry in tests if all(filter.matches(entry) for filter in filters)]


async def run_tests(functions: Functions, tests: Sequence[FunctionEntry], *, limit: float) -> AsyncIterator[TestResult]:
    """Run the tests one after another.

    limit: seconds that each may take. A test fails if it raises, returns false, returns a second value that is an
    error or a string, or takes too long.
    """
    for entry in tests:
        began = time.monotonic()
        failure = await _run(functions, entry, limit)
        yield TestResult(entry, time.monotonic() - began, failure)


async def _run(functions: Functions, entry: FunctionEntry, limit: float) -> RunFailure | None:
    try:
        async with asyncio.timeout(limit):
            result = Payload.FromString(await functions.call(entry.id, []))
    except FunctionFailed as error:
        return lua_failure(error.error)
    except TimeoutError:
        return RunFailure("TIMEOUT", f"not done after {limit:g} s")
    if result.metadata.get("encoding") == b"json/plain" and result.data == b"false":
        return RunFailure("FAILED", f"{entry.method} returned false")
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
