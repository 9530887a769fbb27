"""Options that say which Temporal server a command talks to."""

from __future__ import annotations

import argparse


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """``--address`` and ``--namespace``."""
    parser.add_argument("--address", metavar="HOST:PORT", help="Temporal server")
    parser.add_argument("--namespace", metavar="NAME", help="Temporal namespace (default: that of the client entry)")
