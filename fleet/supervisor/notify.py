"""Telling systemd how the service does (sd_notify): nothing happens where there is no systemd."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import MutableMapping

log = logging.getLogger("fleet.supervisor")


class Notifier:
    """The socket of NOTIFY_SOCKET, if there is one.

    Attributes:
        watchdog: seconds between two beats that systemd is satisfied with; None when it wants none.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Takes the variables out of `environ`: children must not speak for the supervisor."""
        address = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        mine = not pid or pid == str(os.getpid())
        # Half of the limit, as its manual advises.
        self.watchdog = int(usec) / 2e6 if usec.isdecimal() and mine else None
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._beaten = 0.0

    def ready(self, status: str) -> None:
        """The fleet serves."""
        self._send(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """The fleet ends."""
        self._send(f"STOPPING=1\nSTATUS={status}")

    def beat(self, now: float) -> None:
        """The loop turns (`now`: monotonic seconds)."""
        if self.watchdog is not None and now - self._beaten >= self.watchdog:
            self._beaten = now
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            ) as sender:
                sender.sendto(text.encode(), self._address)
        except OSError as error:
            log.debug("systemd is not told %s: %s", text.partition("\n")[0], error)
