"""``fleet scale N [APP]``."""

from __future__ import annotations

import argparse

from .exit import OK
from .fleet_socket import add_fleet_arguments, ask_fleet
from .output import say

EPILOG = """\
New workers begin at once; those that are too many finish their tasks first. More workers than CPUs share them. The
number holds until the fleet is started again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("workers", metavar="N", type=_count, help="workers that there are to be, from 1 on")
    add_fleet_arguments(parser)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 256")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Tell the fleet."""
    answer = ask_fleet(args, "scale", workers=args.workers)
    say(f"{answer['workers']} workers are to serve")
    return OK
