"""Turns the pytest-benchmark results of several passes into one table of ratios."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

BASELINE = "fleet"


@dataclass
class Row:
    """One contender in one group.

    Attributes:
        contender: its name.
        medians: seconds of one operation, the median of each pass.
        ratios: its time divided by the baseline's, of each pass; empty in the baseline's own row.
    """

    contender: str
    medians: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median of the passes' medians."""
        return statistics.median(self.medians)

    def as_json(self) -> dict[str, Any]:
        """What build/bench.json keeps of it."""
        row: dict[str, Any] = {"contender": self.contender, "seconds": self.seconds, "medians": self.medians}
        if self.ratios:
            row["ratio"] = {"median": statistics.median(self.ratios), "min": min(self.ratios), "max": max(self.ratios)}
        return row


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
        times: dict[str, dict[str, float]] = {}
        for benchmark in report["benchmarks"]:
            times.setdefault(benchmark["group"] or benchmark["name"], {})[contender(benchmark)] = seconds(benchmark)
        for group, by_contender in times.items():
            rows = groups.setdefault(group, {})
            base = by_contender.get(BASELINE)
            for name, value in by_contender.items():
                row = rows.setdefault(name, Row(name))
                row.medians.append(value)
                if base is not None and name != BASELINE:
                    row.ratios.append(value / base)
    return [Group(name, baseline_first(rows.values())) for name, rows in groups.items()]


def baseline_first(rows: Any) -> list[Row]:
    """The baseline, then the others in their order."""
    return sorted(rows, key=lambda row: row.contender != BASELINE)


def contender(benchmark: Mapping[str, Any]) -> str:
    """Who did it."""
    return str(benchmark["extra_info"].get("contender") or benchmark["name"])


def seconds(benchmark: Mapping[str, Any]) -> float:
    """The median time of one operation."""
    operations: float = benchmark["extra_info"].get("operations", 1)
    median: float = benchmark["stats"]["median"]
    return median / operations


def time_text(value: float) -> str:
    """A time with three digits and its unit."""
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        if value * factor < 1000:
            return f"{value * factor:.3g} {unit}"
    return f"{value:.3g} s"


def ratio_text(value: float) -> str:
    """A ratio with two or three digits."""
    return f"{value:.1f}" if 10 <= value < 100 else f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def cells(group: Group) -> Iterator[tuple[str, str, str, str]]:
    """contender, time, ratio, spread."""
    for row in group.rows:
        if row.ratios:
            low, high = min(row.ratios), max(row.ratios)
            yield (
                row.contender,
                time_text(row.seconds),
                ratio_text(statistics.median(row.ratios)),
                f"{ratio_text(low)} – {ratio_text(high)}",
            )
        else:
            yield row.contender, time_text(row.seconds), "", ""


def print_table(groups: Sequence[Group], passes: int) -> None:
    """The table on standard output: drawn by rich on a terminal, tab-separated lines in a pipe."""
    console = Console()
    if not console.is_terminal:
        print("group", "contender", "time", "ratio", "ratio min – max", sep="\t")
        for group in groups:
            for row in cells(group):
                print(group.name, *row, sep="\t")
        return
    table = Table(caption=f"ratio: time as a multiple of fleet's, above 1 fleet is faster; median of {passes} passes")
    table.add_column("")
    table.add_column("time", justify="right")
    table.add_column("ratio", justify="right")
    table.add_column("min – max", justify="right")
    for group in groups:
        table.add_row(f"[bold]{group.name}[/]")
        for name, *numbers in cells(group):
            table.add_row(f"  {name}", *numbers)
        table.add_section()
    console.print(table)
