"""``fleet top [APP]``."""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.live import Live

from .exit import OK
from .fleet_socket import add_fleet_arguments, ask_fleet
from .fleet_view import fleet_view
from .output import stdout

EPILOG = """\
Workers with their CPU use and memory, task queues, runs in quarantine, the last decisions of the supervisor. Ctrl-C
ends it. In a pipe it prints the state once, like `fleet status`, with the CPU use over --interval."""

_DECISIONS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_fleet_arguments(parser)
    parser.add_argument("--interval", metavar="SECONDS", type=_interval, default=1.0, help="between two looks (1)")


def _interval(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.1 and 3600")
    return seconds


def run(args: argparse.Namespace) -> int:
    """Show the fleet until Ctrl-C or its end."""
    before = ask_fleet(args, "status")["status"]
    if not stdout().is_terminal:
        time.sleep(args.interval)
        status = ask_fleet(args, "status")["status"]
        stdout().print(fleet_view(status, before, decisions=_DECISIONS))
        return OK
    # Not the console of results: lines that do not fit are cut here, and not broken.
    with Live(
        fleet_view(before, None, decisions=_DECISIONS), console=Console(), screen=True, auto_refresh=False
    ) as live:
        while True:
            time.sleep(args.interval)
            status = ask_fleet(args, "status")["status"]
            live.update(fleet_view(status, before, decisions=_DECISIONS), refresh=True)
            before = status
