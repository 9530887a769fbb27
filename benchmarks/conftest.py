"""What the suites share: how a contender is measured, where the application is, and one way out of the process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

import fleet
from fleet.cli.exit import leave
from fleet.registry import App

HERE = Path(__file__).parent

Measure = Callable[..., Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """--reverse: contenders in the opposite order, so that drift of the machine favours nobody over several passes."""
    parser.addoption("--reverse", action="store_true", help="run the benchmarks in the opposite order")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Obey --reverse."""
    if config.getoption("--reverse"):
        items.reverse()


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Leave by os._exit once everything is written: the end of a process that ran a Temporal worker may crash."""
    code = yield
    if any(name == "temporalio.bridge.temporal_sdk_bridge" for name in sys.modules):
        leave(int(code or 0))
    return code


@pytest.fixture(scope="session")
def app() -> App:
    """The application of the benchmarks."""
    return fleet.load_app(HERE / "app")


@pytest.fixture
def measure(benchmark: Any) -> Measure:
    """measure(group, contender, work, operations=, rounds=, setup=): time `work`, as one row of the table.

    group: what is compared, with everything else in it. contender: who does it; the one called "fleet" is what the
    others are compared with. operations: how many of them one call of `work` does; the table shows the time of one.
    rounds: timed calls, after one that is not counted. setup: () -> (args, kwargs) for `work`, not timed.
    """

    def run(
        group: str,
        contender: str,
        work: Callable[..., Any],
        *,
        operations: int = 1,
        rounds: int = 10,
        setup: Callable[[], Any] | None = None,
    ) -> Any:
        benchmark.group = group
        benchmark.extra_info.update(contender=contender, operations=operations)
        return benchmark.pedantic(work, setup=setup, rounds=rounds, warmup_rounds=1, iterations=1)

    return run
