"""Applications and their entries, as command lines name them."""

from __future__ import annotations

import argparse
from pathlib import Path

from fleet.registry import App, AppError, FunctionEntry, WorkflowEntry, load_app
from fleet.registry.problems import did_you_mean

from .exit import CONFIGURATION, USAGE, CommandError, UsageError
from .output import count, stderr, write_problems


def add_app_option(parser: argparse.ArgumentParser) -> None:
    """``--app APP``, the current directory by default."""
    parser.add_argument("--app", metavar="APP", default=".", help="directory of the application (default: this one)")


def add_app_argument(parser: argparse.ArgumentParser, nargs: str | None = "?") -> None:
    """``APP`` as a positional argument, the current directory by default where it may be left out."""
    text = "directory of the application" + (" (default: this one)" if nargs else "")
    parser.add_argument("app", metavar="APP", nargs=nargs, default=".", help=text)


def app_directory(path: str) -> Path:
    """The directory `path`. Raises UsageError when there is none."""
    directory = Path(path)
    if not directory.is_dir():
        what = "is not a directory" if directory.exists() else "does not exist"
        raise UsageError(f"{path} {what}\n    give the directory that holds the application's YAML files")
    return directory


def open_app(path: str) -> App:
    """Load the application at `path`; print its problems and raise CommandError when it does not load."""
    directory = app_directory(path)
    try:
        app = load_app(directory)
    except AppError as error:
        write_problems(error.problems, directory.resolve(), stderr())
        raise CommandError(
            f"the application {path} does not load: {count(len(error.errors), 'error')}", CONFIGURATION
        ) from None
    write_problems(app.warnings, app.root, stderr())
    return app


def workflow_entry(app: App, id: str) -> WorkflowEntry:
    """The workflow.lua entry `id`. Raises CommandError that names the nearest one."""
    if id in app.workflows:
        return app.workflows[id]
    if id in app.functions:
        raise CommandError(f"{id} is a function, not a workflow\n    `fleet call {id}` calls it", USAGE)
    raise _unknown("workflow.lua", id, app.workflows)


def function_entry(app: App, id: str) -> FunctionEntry:
    """The function.lua entry `id`. Raises CommandError that names the nearest one."""
    if id in app.functions:
        return app.functions[id]
    if id in app.workflows:
        raise CommandError(f"{id} is a workflow, not a function\n    `fleet run {id}` starts it", USAGE)
    raise _unknown("function.lua", id, app.functions)


def _unknown(kind: str, id: str, known: dict[str, WorkflowEntry] | dict[str, FunctionEntry]) -> CommandError:
    hint = did_you_mean(id, known) or f"the application has no {kind} entry"
    return CommandError(f"there is no {kind} entry {id}\n    {hint}", USAGE)
