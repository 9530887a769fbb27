"""Everything that can be said about an application before it runs: YAML, compilation, static checks."""

from __future__ import annotations

import os
from dataclasses import dataclass

from fleet.check.checker import check_app
from fleet.lua import Programs
from fleet.registry import App, AppError, Problem, load_app
from fleet.registry.problems import in_order


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        app: the application, None when it does not load.
        problems: all findings, by file and line.
        compiles: whether all of its Lua compiles.
    """

    app: App | None
    problems: list[Problem]
    compiles: bool = False

    @property
    def errors(self) -> list[Problem]:
        """The findings that are not only warnings."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def runnable(self) -> bool:
        """Whether it loads and compiles. What else the checks find concerns some runs only, or is a doubt."""
        return self.app is not None and self.compiles

    @property
    def entries(self) -> int:
        """How many entries there are; 0 when the application does not load."""
        return len(self.app.entries) if self.app is not None else 0


def inspect_app(path: str | os.PathLike[str]) -> Inspection:
    """Load, compile and check the application in a directory; nothing is run. Raises nothing about the application."""
    try:
        app = load_app(path)
    except AppError as error:
        return Inspection(None, error.problems)
    found = check_app(app)
    # A file that does not parse does not compile either: once is enough, and the parser's words are better.
    told = {(problem.file, problem.line) for problem in found if problem.severity == "error"}
    broken = Programs(app).problems()
    compiled = [problem for problem in broken if (problem.file, problem.line) not in told]
    return Inspection(app, in_order([*app.warnings, *found, *compiled]), compiles=not broken)
