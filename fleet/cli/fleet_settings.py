"""The settings of `fleet supervise` as flags, and where its file is."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from fleet.supervisor.settings import Found, Settings, SettingsError, meaning, names, resolve

from .exit import CONFIGURATION, CommandError

FILE = "fleet.yaml"
_DEST = "setting_"


def add_flags(parser: argparse.ArgumentParser, settings: Iterable[str]) -> None:
    """``--config`` and a flag for each of `settings`."""
    parser.add_argument("--config", metavar="FILE", help=f"file with settings (default: {FILE} here, if there is one)")
    for name in settings:
        flag, text = f"--{name.replace('_', '-')}", meaning(name).replace("%", "%%")
        parser.add_argument(flag, dest=_DEST + name, metavar="VALUE", help=text)


def settings_of(args: argparse.Namespace) -> tuple[Settings, list[Found]]:
    """The effective settings, and where each came from. Raises CommandError."""
    file = Path(args.config) if args.config else Path(FILE) if Path(FILE).is_file() else None
    try:
        return resolve({name: getattr(args, _DEST + name, None) for name in names()}, os.environ, file)
    except SettingsError as error:
        raise CommandError(str(error), CONFIGURATION) from None
