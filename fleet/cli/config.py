"""``fleet config``."""

from __future__ import annotations

import argparse
import dataclasses

from fleet.supervisor.settings import names

from .exit import OK
from .fleet_settings import FILE, add_flags, settings_of
from .output import write, write_json

EPILOG = f"""\
Where a setting comes from, first to last: its flag, FLEET_<NAME> in the environment, --config (else {FILE} in the
current directory), its default. `fleet config --explain` says what each means and why its default is what it is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--explain", action="store_true", help="with meaning, unit and reason of each")
    add_flags(parser, names())


def run(args: argparse.Namespace) -> int:
    """Print the effective settings and where each comes from."""
    _, found = settings_of(args)
    if args.json:
        write_json([dataclasses.asdict(setting) for setting in found])
        return OK
    width = max(len(setting.name) for setting in found)
    for setting in found:
        # A value that reads back as it is: the lines are a fleet.yaml.
        value = setting.text or '""'
        write(f"{setting.name + ':':<{width + 1}} {value:<16}  # {setting.source}", "bold" if args.explain else "")
        if args.explain:
            write(f"    {setting.meaning}\n    unit: {setting.unit}; why this default: {setting.reason}\n", "dim")
    return OK
