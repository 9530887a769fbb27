"""What can be wrong with an application, and how it is said to a person."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning"]

_SHOWN_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about an application.

    Attributes:
        severity: ``error`` (the application does not load) or ``warning``.
        message: what is wrong, without place and value.
        file: path relative to the application's root, with ``/``.
        line: 1-based line in ``file``; 0 when the finding is about the file as a whole.
        entry: id of the entry, or "".
        field: dotted path of the field inside the entry, or "".
        value: the offending value as text, or "". Never a secret, never a value taken from the environment.
        expected: what would have been right, or "".
        hint: what to do about it, or "".
    """

    severity: Severity
    message: str
    file: str = ""
    line: int = 0
    entry: str = ""
    field: str = ""
    value: str = ""
    expected: str = ""
    hint: str = ""

    @property
    def place(self) -> str:
        """``file:line``, or ``file`` alone, or "" when there is no file."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    def render(self) -> str:
        """The finding as text: place, severity, entry, field, what, (got …, expected …), and the hint below."""
        parts = [self.place, self.severity]
        if self.entry:
            parts.append(f"entry {self.entry}")
        if self.field:
            parts.append(self.field)
        facts = []
        if self.value:
            facts.append(f"got {self.value}")
        if self.expected:
            facts.append(f"expected {self.expected}")
        text = ": ".join([part for part in parts if part] + [self.message])
        if facts:
            text += f" ({', '.join(facts)})"
        if self.hint:
            text += f"\n    {self.hint}"
        return text


class AppError(Exception):
    """An application that cannot be loaded; ``problems`` holds everything that was found, warnings included."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = in_order(problems)
        super().__init__("\n".join(problem.render() for problem in self.problems))

    @property
    def errors(self) -> list[Problem]:
        """The findings that stop the application from loading."""
        return [problem for problem in self.problems if problem.severity == "error"]


@dataclass(slots=True)
class Report:
    """Collects the findings of one load, so that all of them are told at once."""

    problems: list[Problem] = field(default_factory=list)

    def error(self, message: str, **where: Any) -> None:
        """Adds an error; the keywords are the fields of ``Problem``."""
        self.problems.append(Problem("error", message, **where))

    def warning(self, message: str, **where: Any) -> None:
        """Adds a warning; the keywords are the fields of ``Problem``."""
        self.problems.append(Problem("warning", message, **where))

    @property
    def failed(self) -> bool:
        """True once there is an error."""
        return any(problem.severity == "error" for problem in self.problems)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """The findings by file and line, without exact repetitions (an anchor used twice is reported once)."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line))


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that ``name`` was most likely meant to be, or ""."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or lists the known ones when none is near."""
    names = sorted(known)
    guess = nearest(name, names)
    if guess:
        return f"did you mean {guess}?"
    return f"known: {', '.join(names)}" if names else ""


def show(value: Any) -> str:
    """``value`` (plain YAML data) as short text for a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"
