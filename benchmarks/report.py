"""Turns the pytest-benchmark results of several passes into one table of ratios."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

CLOCKS = ("cpu", "wall")


@dataclass
class Series:
    """What one clock says of a contender.

    Attributes:
        medians: seconds of one operation, the median of each pass.
        ratios: its time divided by the baseline's, of each pass; empty in the baseline's own row.
    """

    medians: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median of the passes' medians."""
        return statistics.median(self.medians)

    @property
    def ratio(self) -> float:
        """The median of the passes' ratios."""
        return statistics.median(self.ratios)

    def as_json(self) -> dict[str, Any]:
        """What build/bench.json keeps of it."""
        series: dict[str, Any] = {"seconds": self.seconds, "medians": self.medians}
        if self.ratios:
            series["ratio"] = {"median": self.ratio, "min": min(self.ratios), "max": max(self.ratios)}
        return series


@dataclass
class Row:
    """One contender in one group. cpu: CPU time of all its threads. wall: wall time."""

    contender: str
    baseline: bool = False
    cpu: Series = field(default_factory=Series)
    wall: Series = field(default_factory=Series)

    def as_json(self) -> dict[str, Any]:
        """What build/bench.json keeps of it."""
        return {"contender": self.contender, "cpu": self.cpu.as_json(), "wall": self.wall.as_json()}


@dataclass
class Group:
    """What is compared: rows of the same work, the baseline first."""

    name: str
    rows: list[Row]

    def as_json(self) -> dict[str, Any]:
        """What build/bench.json keeps of it."""
        return {"group": self.name, "rows": [row.as_json() for row in self.rows]}


def merge(passes: Sequence[Mapping[str, Any]]) -> list[Group]:
    """Groups of the reports of all passes.

    A ratio is formed within a pass, of what ran within seconds of each other, so that a machine that is slower in one
    pass than in another does not show in it. Groups and contenders come in the order of the first pass.
    """
    groups: dict[str, dict[str, Row]] = {}
    for report in passes:
        told: dict[str, list[dict[str, Any]]] = {}
        for benchmark in report["benchmarks"]:
            told.setdefault(benchmark["group"], []).append(benchmark["extra_info"])
        for group, infos in told.items():
            rows = groups.setdefault(group, {})
            base = next((info for info in infos if info["baseline"]), None)
            for info in infos:
                row = rows.setdefault(info["contender"], Row(info["contender"], info["baseline"]))
                for clock in CLOCKS:
                    series: Series = getattr(row, clock)
                    series.medians.append(info[clock])
                    if base is not None and info is not base:
                        series.ratios.append(info[clock] / base[clock])
    # Sorting is stable: behind the baseline they keep their order.
    return [Group(name, sorted(rows.values(), key=lambda row: not row.baseline)) for name, rows in groups.items()]


def time_text(value: float) -> str:
    """A time with three digits and its unit."""
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        if value * factor < 1000:
            return f"{value * factor:.3g} {unit}"
    return f"{value:.3g} s"


def ratio_text(value: float) -> str:
    """A ratio with two or three digits."""
    return f"{value:.1f}" if 10 <= value < 100 else f"{value:.0f}" if value >= 100 else f"{value:.2f}"


COLUMNS = ("CPU time", "ratio", "min – max", "wall time", "ratio", "min – max")


def cells(row: Row) -> Iterator[str]:
    """The texts of a row's columns."""
    for clock in CLOCKS:
        series: Series = getattr(row, clock)
        yield time_text(series.seconds)
        if series.ratios:
            yield ratio_text(series.ratio)
            yield f"{ratio_text(min(series.ratios))} – {ratio_text(max(series.ratios))}"
        else:
            yield from ("", "")


def print_table(groups: Sequence[Group], passes: int) -> None:
    """The table on standard output: drawn by rich on a terminal, tab-separated lines in a pipe."""
    console = Console()
    if not console.is_terminal:
        print("group", "contender", *COLUMNS, sep="\t")
        for group in groups:
            for row in group.rows:
                print(group.name, row.contender, *cells(row), sep="\t")
        return
    table = Table(caption=f"ratio: time as a multiple of fleet's, above 1 fleet is faster; median of {passes} passes")
    table.add_column("")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for group in groups:
        table.add_row(f"[bold]{group.name}[/]")
        for row in group.rows:
            table.add_row(f"  {row.contender}", *cells(row))
        table.add_section()
    console.print(table)
