"""A tiny application in a temporary directory, written by each test as text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from fleet.registry import App, AppError, Problem, load_app


class Sandbox:
    """Writes the files of an application and loads it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ: dict[str, str] = {}

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())

    def entries(self, text: str, **files: str) -> None:
        """Writes ``app.yaml`` with the namespace ``app`` (two lines, so entries begin on line 3) and these entries."""
        self.write({"app.yaml": "namespace: app\nentries:\n" + textwrap.dedent(text).strip("\n") + "\n", **files})

    def load(self) -> App:
        return load_app(self.root, self.environ)

    def problems(self) -> list[Problem]:
        """Everything there is to say about the application, whether it loads or not."""
        try:
            return self.load().warnings
        except AppError as error:
            return error.problems

    def rendered(self) -> list[str]:
        return [problem.render() for problem in self.problems()]

    def errors(self) -> list[str]:
        return [problem.render() for problem in self.problems() if problem.severity == "error"]
