"""Where ``print`` and the Lua module ``logger`` write: the Python logger ``fleet.script`` (lua_api.md, section 14).

A record's message is the script's; what belongs to it is in ``record.fleet``: the script's fields, the name of the
logger, and who speaks (entry, workflow or activity).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from .caller import Caller, text

LOGGER = logging.getLogger("fleet.script")

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def write(level: str, message: str | bytes, fields: Any, speaker: Mapping[str, Any]) -> None:
    """Write one line.

    Args:
        level: debug, info, warn or error.
        message: the text.
        fields: the script's own fields, a dict (an empty Lua table, or none at all, is no dict here).
        speaker: what identifies the run or call.
    """
    number = _LEVELS.get(level, logging.INFO)
    if LOGGER.isEnabledFor(number):
        extra = {**speaker, **(fields if isinstance(fields, dict) else {})}
        LOGGER.log(number, "%s", text(message), extra={"fleet": extra})


def log(call: Caller, level: str, message: str | bytes, fields: Any = None) -> None:
    """Write a line of a call outside workflows."""
    write(level, message, fields, call.log_fields)


CALL_HOST: dict[str, Any] = {"log": log}
