"""``fleet status [APP]``."""

from __future__ import annotations

import argparse

from .exit import OK
from .fleet_socket import add_fleet_arguments, fleet_status
from .fleet_view import fleet_view
from .output import stdout, write_json

EPILOG = """\
Exit code 1 when no fleet runs. With --json everything that is known, sizes in bytes, times in seconds; the same is at
/status."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_fleet_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the workers of the fleet."""
    status = fleet_status(args)
    if args.json:
        write_json(status)
    else:
        stdout().print(fleet_view(status, None, decisions=5))
    return OK
