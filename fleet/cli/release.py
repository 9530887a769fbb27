"""``fleet release RUN_ID [APP]``."""

from __future__ import annotations

import argparse

from .exit import OK
from .fleet_socket import add_fleet_arguments, ask_fleet
from .output import say

EPILOG = """\
A run whose tasks took two workers down is not run any more: its tasks are failed, and it waits. When the reason is
repaired, this lets it go on; `fleet status` lists such runs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("run_id", metavar="RUN_ID", help="run id of the workflow")
    add_fleet_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Tell the fleet."""
    ask_fleet(args, "release", run_id=args.run_id)
    say(f"the tasks of {args.run_id} are run again")
    return OK
