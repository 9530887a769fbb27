"""Fixtures that run scripts on the real engines in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from virtual_runs import FunctionRun, VirtualRun, WorkflowRun


@pytest.fixture
def function() -> Iterator[Callable[..., FunctionRun]]:
    """function(body, args=(), tz=None) -> a FunctionRun of a script, closed at the end of the test."""
    yield from _runs(FunctionRun)


@pytest.fixture
def workflow() -> Iterator[Callable[..., WorkflowRun]]:
    """workflow(body, args=(), seed=SEED) -> a WorkflowRun of a script, closed at the end of the test."""
    yield from _runs(WorkflowRun)


@pytest.fixture(params=[FunctionRun, WorkflowRun], ids=["function", "workflow"])
def either(request: pytest.FixtureRequest) -> Iterator[Callable[..., VirtualRun]]:
    """either(body, args=()) -> a run of the script; the test runs on both engines."""
    yield from _runs(request.param)


def _runs(kind: type[Any]) -> Iterator[Callable[..., Any]]:
    made: list[VirtualRun] = []

    def start(script: str, *args: Any, **options: Any) -> Any:
        run = kind(script, *args, **options)
        made.append(run)
        return run

    yield start
    for run in made:
        run.state.close()
