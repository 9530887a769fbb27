"""Draws groups of build/bench.json as SVG: times as bars, or ratios on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from report import ratio_text, time_text

Group = dict[str, Any]
"""A group as Group.as_json writes it."""

WIDTH, LEFT, RIGHT = 760, 250, 90
ROW, GAP, TOP = 18, 26, 34
INK, GRID = "#444444", "#dddddd"
OURS, SLOWER, THEIRS = "#1f6fb4", "#c8601a", "#b9bec4"


def bars(title: str, groups: Sequence[Group], clock: str) -> str:
    """Times of one operation by `clock` ("cpu" or "wall"), the scale the same for all groups."""
    longest = max(row[clock]["seconds"] for group in groups for row in group["rows"])
    parts, y = [], TOP
    for group in groups:
        parts.append(_text(LEFT, y + 12, group["group"], weight="bold"))
        y += ROW
        for row in group["rows"]:
            seconds = row[clock]["seconds"]
            width = (WIDTH - LEFT - RIGHT) * seconds / longest
            parts.append(_text(LEFT - 8, y + 12, row["contender"], anchor="end"))
            parts.append(f'<rect x="{LEFT}" y="{y + 2}" width="{width:.1f}" height="13" fill="{_color(row)}"/>')
            parts.append(_text(LEFT + width + 5, y + 12, time_text(seconds)))
            y += ROW
        y += GAP - ROW
    return _svg(title, y, parts)


def ratios(title: str, groups: Sequence[Group], clock: str) -> str:
    """Times as multiples of fleet's, with the lowest and the highest of the passes."""
    spreads = [row[clock]["ratio"] for group in groups for row in group["rows"] if "ratio" in row[clock]]
    low = math.floor(math.log10(min([0.5, *(spread["min"] for spread in spreads)])))
    high = math.ceil(math.log10(max([2.0, *(spread["max"] for spread in spreads)])))

    def x(ratio: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(ratio) - low) / (high - low)

    parts, y = [], TOP + 16
    for group in groups:
        parts.append(_text(12, y + 12, group["group"], weight="bold"))
        y += ROW
        for row in group["rows"]:
            spread = row[clock].get("ratio")
            if spread is None:
                continue
            middle = x(spread["median"])
            parts.append(_text(LEFT - 8, y + 12, row["contender"], anchor="end"))
            ends = f'x1="{x(spread["min"]):.1f}" y1="{y + 8}" x2="{x(spread["max"]):.1f}" y2="{y + 8}"'
            parts.append(f'<line {ends} stroke="{INK}" stroke-width="1.4"/>')
            slower = spread["median"] < 1
            parts.append(f'<circle cx="{middle:.1f}" cy="{y + 8}" r="4" fill="{SLOWER if slower else OURS}"/>')
            at, anchor = (x(spread["min"]) - 8, "end") if slower else (x(spread["max"]) + 8, "start")
            parts.append(_text(at, y + 12, ratio_text(spread["median"]), anchor=anchor))
            y += ROW
        y += GAP - ROW
    axis = []
    for power in range(low, high + 1):
        at, stroke = x(10.0**power), INK if power == 0 else GRID
        axis.append(f'<line x1="{at:.1f}" y1="{TOP + 10}" x2="{at:.1f}" y2="{y - 8}" stroke="{stroke}"/>')
        axis.append(_text(at, TOP + 4, f"{10.0**power:g}", anchor="middle"))
    return _svg(title, y, [*axis, *parts])


def _color(row: dict[str, Any]) -> str:
    return OURS if row["contender"].startswith("fleet") else THEIRS


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="11" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="12" y="18" font-size="13">{escape(title)}</text>',
    )
    return "\n".join([*head, *parts, "</svg>", ""])
