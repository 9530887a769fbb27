"""Drives Temporal's core directly: what it hands out goes as bytes to the native core, and back.

``bridge`` alone knows the SDK's private parts. ``lane`` polls, activates and answers; ``worker`` puts it into a
temporalio Worker, ``replay`` replays histories on it; ``fitness`` proves at start that the installed SDK is one that
all this fits.
"""

from __future__ import annotations

from .activities import Observer
from .bridge import eviction, grant_directly, grant_off_loop, serialized
from .fitness import fits, misfit
from .replay import LaneReplayer
from .worker import take_lane
from .workflows import Run

__all__ = [
    "LaneReplayer",
    "Observer",
    "Run",
    "eviction",
    "fits",
    "grant_directly",
    "grant_off_loop",
    "misfit",
    "serialized",
    "take_lane",
]
