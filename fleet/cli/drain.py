"""``fleet drain [APP]``."""

from __future__ import annotations

import argparse

from .exit import OK
from .fleet_socket import add_fleet_arguments, ask_fleet
from .output import say

EPILOG = """\
The workers finish their tasks and end, at the latest after fleet_drain; then the supervisor ends with exit code 0.
The command waits for it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_fleet_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """End the fleet, and wait for its end."""
    ask_fleet(args, "drain", patience=None)
    say("the fleet has ended")
    return OK
