"""Writes build/bench.json and build/profile.json into docs/benchmarks.md, and the plots into docs/benchmarks/.

Usage: make bench-publish. What the numbers say is prose, and stays as it is: read it again afterwards.
"""

from __future__ import annotations

import json
from typing import Any

import plots
from places import PLACES, PROFILE, PYTHON
from report import COLUMNS, ratio_text, time_text
from run import RESULT, ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "benchmarks"

TIMES = {
    "replay": ("CPU time of one activation of a replay", ("replay of",)),
    "end_to_end": ("CPU time of the worker for a workflow of one activity and one timer", ("end to end",)),
}
RATIOS = {
    "codec": ("JSON: CPU time as a multiple of fleet's", ("JSON to values", "values to JSON")),
    "core": (
        "Engine, scheduler, states, plain Lua: CPU time as a multiple of fleet's",
        ("engine", "start of a run", "scheduler", "state", "Lua:"),
    ),
}


def select(groups: list[plots.Group], beginnings: tuple[str, ...]) -> list[plots.Group]:
    """The groups whose names begin like that, in the order of the beginnings."""
    return [group for beginning in beginnings for group in groups if group["group"].startswith(beginning)]


def table(groups: list[plots.Group]) -> list[str]:
    """The lines of the table, in Markdown."""
    lines = ["| | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for group in groups:
        lines.append(f"| **{group['group']}** |" + " |" * len(COLUMNS))
        lines += [f"| {row['contender']} | {cells(row)} |" for row in group["rows"]]
    return lines


def cells(row: dict[str, Any]) -> str:
    """A row's columns, as in the table of `make bench`."""
    texts = []
    for clock in ("cpu", "wall"):
        spread = row[clock].get("ratio")
        texts.append(time_text(row[clock]["seconds"]))
        texts += (
            [ratio_text(spread["median"]), f"{ratio_text(spread['min'])} – {ratio_text(spread['max'])}"]
            if spread
            else ["", ""]
        )
    return " | ".join(texts)


def heading(result: dict[str, Any]) -> str:
    """Where and how they were measured."""
    load = f"{min(result['load']):.1f} to {max(result['load']):.1f}"
    return (
        f"{result['machine']}, {result['cpus']} CPUs, Python {result['python']}, temporalio {result['temporalio']};"
        f" passes: {result['passes']}, load of the machine {load}, {result['datetime'][:10]}."
    )


def profile_table(profiles: dict[str, dict[str, float]]) -> list[str]:
    """The lines of the table of profile_workers.py, in Markdown."""
    places = [*PLACES, PYTHON]
    lines = [f"| ms per workflow | {' | '.join(places)} | all |", "|---|" + "---:|" * (len(places) + 1)]
    for contender, times in profiles.items():
        figures = [times.get(name, 0.0) for name in places]
        lines.append(f"| {contender} | {' | '.join(f'{figure:.1f}' for figure in [*figures, sum(figures)])} |")
    return lines


def filled(page: str, name: str, lines: list[str]) -> str:
    """The page with these lines between the markers of a name. Raises ValueError when they are not there."""
    begin, end = f"<!-- {name}: make bench-publish -->", f"<!-- end of {name} -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return "\n".join([before + begin, *lines, end + after])


def main() -> None:
    """Rewrite the page and the plots."""
    result = json.loads(RESULT.read_text())
    groups = result["groups"]
    PLOTS.mkdir(exist_ok=True)
    for draw, drawings in ((plots.bars, TIMES), (plots.ratios, RATIOS)):
        for name, (title, beginnings) in drawings.items():
            if chosen := select(groups, beginnings):
                (PLOTS / f"{name}.svg").write_text(draw(title, chosen, "cpu"))
    page = filled(PAGE.read_text(), "results", [heading(result), "", *table(groups)])
    if PROFILE.exists():
        page = filled(page, "profile", profile_table(json.loads(PROFILE.read_text())))
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
