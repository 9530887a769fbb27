"""What the suites share: how a contender is measured, where the application is, and one way out of the process."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Spent:
    """Seconds that work took elsewhere; work that returns it in place of a result has measured itself.

    cpu: CPU time of all threads of the process that did it. wall: wall time.
    """

    cpu: float
    wall: float


@dataclass
class Clocks:
    """Times every call of `work` by two clocks. The CPU time is that of all threads: the Temporal core's too."""

    work: Callable[..., Any]
    spent: list[Spent] = field(default_factory=list)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        cpu, wall = time.process_time(), time.perf_counter()
        result = self.work(*args, **kwargs)
        own = Spent(time.process_time() - cpu, time.perf_counter() - wall)
        self.spent.append(result if isinstance(result, Spent) else own)
        return result


@pytest.fixture
def measure(benchmark: Any) -> Measure:
    """measure(group, contender, work, operations=, rounds=, setup=, warmup=, baseline=): time `work`, as one row.

    group: what is compared, with everything else in it. contender: who does it. operations: how many of them one call
    of `work` does; the table shows the time of one. rounds: timed calls. setup: () -> (args, kwargs) for `work`, not
    timed. warmup: calls before them that are not counted. baseline: whether the others of the group are compared with
    this one; by default "fleet" is.
    """

    def run(
        group: str,
        contender: str,
        work: Callable[..., Any],
        *,
        operations: int = 1,
        rounds: int = 10,
        setup: Callable[[], Any] | None = None,
        warmup: int = 1,
        baseline: bool | None = None,
    ) -> Any:
        clocks = Clocks(work)
        benchmark.group = group
        result = benchmark.pedantic(clocks, setup=setup, rounds=rounds, warmup_rounds=warmup, iterations=1)
        counted = clocks.spent[-rounds:]
        benchmark.extra_info.update(
            contender=contender,
            baseline=contender == "fleet" if baseline is None else baseline,
            cpu=statistics.median(spent.cpu for spent in counted) / operations,
            wall=statistics.median(spent.wall for spent in counted) / operations,
        )
        return result

    return run
