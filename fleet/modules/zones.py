"""Time zones for the Lua modules ``time`` and ``os``: from the ``tzdata`` package, never from the host (decision 5).

A state asks for spans: the offset at an instant and from when until when it holds. What it gets depends on its
arguments and on the release of tzdata only.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import resources
from typing import Any

from .caller import Caller
from .tzif import ZoneRules, parse_tzif


@cache
def _names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def _rules(name: str) -> ZoneRules:
    # Only names from the package's own list become paths.
    if name not in _names():
        raise KeyError(name)
    return parse_tzif(resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes())


def zone(name: str | bytes) -> bool:
    """Is there a zone of this name in the IANA database? Names are case-sensitive."""
    return name in _names()


def zone_span(name: str, unix: int) -> dict[str, Any]:
    """What holds in the zone at ``unix`` seconds since 1970.

    Returns {offset: seconds east of UTC, abbreviation, dst, from, to}, the last two as seconds since 1970, to not
    included. Raises KeyError if there is no such zone.
    """
    span = _rules(name).at(unix)
    return {
        "offset": span.offset,
        "abbreviation": span.abbreviation,
        "dst": span.dst,
        "from": span.start,
        "to": span.end,
    }


def zone_abbreviated(name: str, abbreviation: str, wall: int) -> int | None:
    """The offset that the zone means by an abbreviation when its clock shows ``wall``.

    ``wall`` counts seconds since 1970 as if the clock were in UTC. Abbreviations change their meaning: the one in use
    at that time wins, otherwise the latest. None if never used.
    """
    rules = _rules(name)
    offsets = [span.offset for span in rules.kinds() if span.abbreviation == abbreviation]
    for offset in offsets:
        span = rules.at(wall - offset)
        if span.abbreviation == abbreviation and span.offset == offset:
            return offset
    return offsets[-1] if offsets else None


def local_zone(call: Caller) -> str | None:
    """The zone of this process: the environment variable TZ if it names one, else None, which means UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    return name if zone(name) else None


HOST: dict[str, Any] = {"zone": zone, "zone_span": zone_span, "zone_abbreviated": zone_abbreviated}
CALL_HOST: dict[str, Any] = {"local_zone": local_zone}
