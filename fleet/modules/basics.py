"""What an engine needs of its host: names of modules; outside workflows also real time and randomness."""

from __future__ import annotations

import os
import time
from typing import Any

from fleet.registry.modules import MODULES

from .caller import Caller


def knows_module(name: str | bytes) -> bool:
    """Is there a host module of this name, so that the entry only forgot to list it?"""
    return name in MODULES


def now(call: Caller) -> int:
    """Nanoseconds since 1970."""
    return time.time_ns()


def random_bytes(call: Caller, count: int) -> bytes:
    """``count`` bytes from the operating system."""
    return os.urandom(count)


HOST: dict[str, Any] = {"knows_module": knows_module}
CALL_HOST: dict[str, Any] = {"now": now, "random_bytes": random_bytes}
