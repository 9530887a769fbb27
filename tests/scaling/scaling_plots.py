"""Draws the scenarios of the control loop into docs/scaling/: ``python tests/scaling/scaling_plots.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from scaling_model import Fleet, Sample
from scaling_scenarios import SCENARIOS

FOLDER = Path(__file__).parents[2] / "docs" / "scaling"

WIDTH, LEFT, RIGHT = 760, 52, 24
PANELS = ((40, 150, "permits (line) and tasks in hand (dotted)"), (232, 90, "age of the backlog, seconds"))
HEIGHT = 352
COLORS = ("#1f6fb4", "#c8601a", "#2b8a4b")
INK, GRID = "#444444", "#dddddd"


def render(name: str, fleet: Fleet) -> str:
    """A scenario that has run, as SVG."""
    end = fleet.now
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="11" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    columns: list[tuple[Callable[[Sample], float], ...]] = [
        (lambda s: s.permits, lambda s: s.busy),
        (lambda s: s.age,),
    ]
    for (top, height, title), values in zip(PANELS, columns, strict=True):
        highest = _round_up(max(value(s) for samples in fleet.samples.values() for s in samples for value in values))
        parts += _frame(top, height, title, highest, end)
        for color, samples in zip(COLORS, fleet.samples.values(), strict=False):
            for value, dash in zip(values, ("", ' stroke-dasharray="2 2"'), strict=False):
                points = _line([(s.time, value(s)) for s in samples], top, height, highest, end)
                parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.4"{dash}/>')
    parts.append(f'<text x="{LEFT}" y="16" font-size="13">{escape(name.replace("_", " "))}</text>')
    x = 200.0
    for color, queue in zip(COLORS, fleet.samples, strict=False):
        parts.append(f'<rect x="{x:g}" y="8" width="10" height="10" fill="{color}"/>')
        parts.append(f'<text x="{x + 14:g}" y="17">{escape(queue)}</text>')
        x += 30 + 7 * len(queue)
    parts.append(f'<text x="{WIDTH - RIGHT}" y="17" text-anchor="end">budget {fleet.budget} permits</text>')
    return "\n".join([*parts, "</svg>", ""])


def _frame(top: int, height: int, title: str, highest: float, end: float) -> list[str]:
    parts = [f'<text x="{LEFT}" y="{top - 4}">{escape(title)}</text>']
    for share in (0.0, 0.5, 1.0):
        y = top + height * (1 - share)
        parts.append(f'<line x1="{LEFT}" y1="{y:g}" x2="{WIDTH - RIGHT}" y2="{y:g}" stroke="{GRID}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{highest * share:g}</text>')
    for second in range(0, int(end) + 1, 60):
        x = _x(second, end)
        parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + height}" stroke="{GRID}"/>')
        parts.append(f'<text x="{x:.1f}" y="{top + height + 14}" text-anchor="middle">{second} s</text>')
    return parts


def _line(values: Sequence[tuple[float, float]], top: int, height: int, highest: float, end: float) -> str:
    """The points of a line, without those that lie on it anyway."""
    kept = [
        (time, value)
        for i, (time, value) in enumerate(values)
        if i in (0, len(values) - 1) or not values[i - 1][1] == value == values[i + 1][1]
    ]
    return " ".join(f"{_x(time, end):.1f},{top + height * (1 - value / highest):.1f}" for time, value in kept)


def _x(time: float, end: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * time / end


def _round_up(value: float) -> float:
    size = 1.0
    while True:
        for step in (1, 2, 4, 5, 10):
            if value <= size * step:
                return size * step
        size *= 10


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, scenario in SCENARIOS.items():
        (FOLDER / f"{name}.svg").write_text(render(name, scenario()))


if __name__ == "__main__":
    main()
