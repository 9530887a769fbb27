"""What a person sees: results on stdout, everything else on stderr, colours on a terminal only."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from fleet.registry import Problem

_SEVERITY = {"error": "bold red", "warning": "yellow"}


@cache
def stderr() -> Console:
    """The console of messages. Colours follow the terminal and NO_COLOR."""
    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


_PIPE_WIDTH = 250


@cache
def stdout() -> Console:
    """The console of results that are text; in a pipe nothing is cut to fit a terminal."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(soft_wrap=True, highlight=False, markup=False, emoji=False, width=width)


def on_terminal() -> bool:
    """Whether somebody looks at the messages as they come."""
    return stderr().is_terminal and not stderr().is_dumb_terminal


def say(text: str, style: str = "") -> None:
    """A line on stderr."""
    stderr().print(Text(text, style=style))


def say_error(text: str) -> None:
    """An error on stderr, marked as such."""
    stderr().print(Text.assemble(("error: ", "bold red"), text))


def say_warning(text: str) -> None:
    """A warning on stderr, marked as such."""
    stderr().print(Text.assemble(("warning: ", "yellow"), text))


def write(text: str, style: str = "") -> None:
    """A line of the result on stdout."""
    stdout().print(Text(text, style=style))


def write_json(value: Any) -> None:
    """A value as JSON on stdout: one line for programs, indented on a terminal."""
    indent = 2 if stdout().is_terminal else None
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")


def write_problems(problems: Iterable[Problem], root: Path, console: Console) -> None:
    """Findings about the application at `root`, with paths that can be opened from here."""
    for problem in problems:
        shown = dataclasses.replace(problem, file=shown_path(root / problem.file)) if problem.file else problem
        first, *rest = shown.render().split("\n")
        text = Text(first)
        if shown.place:
            text.stylize("bold", 0, len(shown.place))
        if match := re.search(rf"(?:^|: ){problem.severity}: ", first):
            text.stylize(_SEVERITY[problem.severity], match.start(), match.end())
        console.print(text)
        for line in rest:
            console.print(Text(line, style="dim"))


def shown_path(path: Path) -> str:
    """`path` from the current directory if it is below, else absolute."""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, OSError):
        return os.fspath(path)


def count(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
