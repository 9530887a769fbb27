"""Payloads of arguments and results: JSON texts on this side."""

from __future__ import annotations

import base64
import json

from temporalio.api.common.v1 import Payload

from .output import stdout


def payload_of(text: str) -> Payload:
    """The payload of an argument, with the digits that were given."""
    if text == "null":
        return Payload(metadata={"encoding": b"binary/null"})
    return Payload(metadata={"encoding": b"json/plain"}, data=text.encode())


def json_of(payload: Payload | None) -> str:
    """A result as JSON text on one line. What is no JSON is an object with ``encoding`` and ``base64``."""
    if payload is None:
        return "null"
    encoding = payload.metadata.get("encoding", b"").decode("utf-8", "replace")
    if encoding == "binary/null":
        return "null"
    if encoding.startswith("json/"):
        return payload.data.decode("utf-8", "replace")
    return json.dumps({"encoding": encoding, "base64": base64.b64encode(payload.data).decode()})


def for_reading(text: str) -> str:
    """A JSON text as it is for programs, indented on a terminal."""
    if not stdout().is_terminal:
        return text
    return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
