"""Drives Temporal's core directly: what it hands out goes as bytes to the native core, and back.

``bridge`` alone knows the SDK's private parts. ``lane`` polls, activates and answers; ``replay`` replays histories on
it; ``fitness`` proves at start that the installed SDK is one that all this fits.
"""

from __future__ import annotations

from .bridge import serialized
from .fitness import fits
from .replay import LaneReplayer

__all__ = ["LaneReplayer", "fits", "serialized"]
