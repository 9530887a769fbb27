"""Which running fleet a command talks to, and the talk."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fleet.supervisor.control import NoFleet, ask
from fleet.supervisor.files import FileInUse, default_socket

from .apps import add_app_argument, app_directory
from .exit import CONFIGURATION, FAILED, CommandError
from .fleet_settings import add_flags, settings_of


def add_fleet_arguments(parser: argparse.ArgumentParser) -> None:
    """``APP``, ``--control-socket`` and ``--config``: whatever leads to the socket of the fleet."""
    add_app_argument(parser)
    add_flags(parser, ["control_socket"])


def ask_fleet(args: argparse.Namespace, command: str, *, patience: float | None = 10.0, **more: Any) -> dict[str, Any]:
    """The fleet's answer to a command; empty when it ended instead. Raises CommandError.

    patience: seconds to wait; None waits for ever.
    """
    try:
        answer = ask(socket_of(args), {"command": command, **more}, timeout=patience)
    except NoFleet as error:
        raise CommandError(str(error), FAILED) from None
    if answer and not answer["ok"]:
        raise CommandError(answer["error"], FAILED)
    return answer


def fleet_status(args: argparse.Namespace) -> dict[str, Any]:
    """The state of the fleet (fleet/supervisor/status.py). Raises CommandError."""
    answer = ask_fleet(args, "status")
    if not answer:
        raise CommandError("the fleet has ended", FAILED)
    status: dict[str, Any] = answer["status"]
    return status


def socket_of(args: argparse.Namespace) -> Path:
    """The control socket of the fleet. Raises CommandError."""
    settings, _ = settings_of(args)
    if settings.control_socket:
        return Path(settings.control_socket)
    try:
        return default_socket(app_directory(args.app))
    except FileInUse as error:
        raise CommandError(str(error), CONFIGURATION) from None
