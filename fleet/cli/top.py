"""``fleet top [APP]``."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import Any

from rich.console import Console
from rich.live import Live

from .exit import OK, TERMINATED
from .fleet_socket import add_fleet_arguments, fleet_status
from .fleet_view import fleet_view
from .keys import pressed_keys
from .output import stdout

EPILOG = """\
Workers with their CPU use and memory, task queues, runs in quarantine, the last decisions of the supervisor. q or
Ctrl-C ends it, any other key looks at once; exit code 1 when the fleet ends. In a pipe it prints the state once, like
`fleet status`, with the CPU use over --interval."""

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
    """Show the fleet until a key, a signal, or its end."""
    before = fleet_status(args)
    if stdout().is_terminal:
        # Its default action would leave the picture on the terminal.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED))
        _watch(args, before)
    else:
        time.sleep(args.interval)
        stdout().print(fleet_view(fleet_status(args), before, decisions=_DECISIONS))
    return OK


def _watch(args: argparse.Namespace, before: dict[str, Any]) -> None:
    # Not the console of results: lines that do not fit are cut here, and not broken.
    first = fleet_view(before, None, decisions=_DECISIONS)
    with pressed_keys() as wait, Live(first, console=Console(), screen=True, auto_refresh=False) as live:
        while "q" not in wait(args.interval):
            status = fleet_status(args)
            live.update(fleet_view(status, before, decisions=_DECISIONS), refresh=True)
            before = status
