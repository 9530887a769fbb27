"""``fleet check APP``."""

from __future__ import annotations

import argparse
import dataclasses

from fleet.check.inspection import inspect_app

from .apps import add_app_argument, app_directory
from .exit import FAILED, OK
from .output import count, stdout, write, write_json, write_problems

EPILOG = """\
Loads and validates all entries, compiles the Lua, and looks for unknown modules, unknown ids in funcs.call, spawn and
exec, undefined globals, and what workflows cannot use. Exit code 1 when there are errors."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_app_argument(parser)
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--json", action="store_true", help="findings as one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Print the findings; FAILED when there are errors."""
    root = app_directory(args.app).resolve()
    inspection = inspect_app(root)
    errors = inspection.errors
    warnings = len(inspection.problems) - len(errors)
    ok = not errors and not (args.strict and warnings)
    if args.json:
        write_json(
            {
                "app": str(root),
                "ok": ok,
                "entries": inspection.entries,
                "errors": len(errors),
                "warnings": warnings,
                "problems": [dataclasses.asdict(problem) for problem in inspection.problems],
            }
        )
        return OK if ok else FAILED
    write_problems(inspection.problems, root, stdout())
    found = f"{count(len(errors), 'error')}, {count(warnings, 'warning')}"
    if inspection.problems:
        write(found, "bold red" if not ok else "yellow")
    else:
        write(f"no problems in {count(inspection.entries, 'entry').replace('entrys', 'entries')}", "green")
    return OK if ok else FAILED
