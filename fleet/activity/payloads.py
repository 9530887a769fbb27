"""Python values to payload bytes and back, for callers that are not Lua (decisions 37 and 38)."""

from __future__ import annotations

import json
from typing import Any

import orjson
from temporalio.api.common.v1 import Payload


def encode(value: Any) -> bytes:
    """The bytes of a ``temporal.api.common.v1.Payload`` with ``value``.

    None is ``binary/null``, bytes are ``binary/plain``, everything else is JSON.

    Raises:
        TypeError, ValueError: the value is no JSON.
    """
    if value is None:
        return Payload(metadata={"encoding": b"binary/null"}).SerializeToString()
    if isinstance(value, bytes):
        return Payload(metadata={"encoding": b"binary/plain"}, data=value).SerializeToString()
    try:
        data = orjson.dumps(value)
    except TypeError:
        # orjson ends at 64-bit integers; Lua reads longer ones as floats.
        data = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    return Payload(metadata={"encoding": b"json/plain"}, data=data).SerializeToString()


def decode(payload: bytes) -> Any:
    """The value of an encoded payload, as Python's ``json`` reads it.

    Raises:
        ValueError: the encoding is not one of those that ``encode`` writes.
    """
    message = Payload.FromString(payload)
    encoding = message.metadata.get("encoding", b"").decode("utf-8", "replace")
    match encoding:
        case "binary/null":
            return None
        case "binary/plain":
            return message.data
        case "json/plain":
            return json.loads(message.data)
    raise ValueError(f"a payload with the encoding {encoding!r} cannot be read")
