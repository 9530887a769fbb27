"""Activities of the runtime itself: what a workflow may not do on its own and history must record.

Workflows run them as local activities, so they are done where the workflow task is (decisions 7 and 19).
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping

from . import payloads

Recorded = Callable[[list[bytes]], Awaitable[bytes]]


async def random(arguments: list[bytes]) -> bytes:
    """Randomness of the operating system, for ``crypto``: argument 1 is the number of bytes."""
    return payloads.encode(os.urandom(payloads.decode(arguments[0])))


RECORDED: Mapping[str, Recorded] = {"lua-fleet.random": random}
"""By activity type; each takes and returns serialized payloads. No entry can have such an id: it lacks a ``:``."""
