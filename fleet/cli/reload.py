"""``fleet reload [APP]``."""

from __future__ import annotations

import argparse

from .exit import OK
from .fleet_socket import add_fleet_arguments, ask_fleet
from .output import say

EPILOG = """\
The application on disk is validated first; what is not valid leaves the old code running, with exit code 1 and what is
wrong. Then one worker at a time is replaced, each after it has finished its tasks. The same as SIGHUP, but it waits."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_fleet_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Reload, and wait until all workers serve the new code."""
    ask_fleet(args, "reload", patience=None)
    say("all workers serve the new code", "green")
    return OK
