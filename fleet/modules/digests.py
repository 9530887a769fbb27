"""Digests for the Lua modules ``hash`` and ``uuid`` (spec/lua_api.md, sections 9 and 11)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from .caller import raw

ALGORITHMS = ("md5", "sha1", "sha256", "sha512")


def digest(name: str, data: str | bytes) -> bytes:
    """The digest of ``data``; ``name`` is one of ALGORITHMS."""
    # Names of files and ids, not protection: md5 and sha1 must work where the system forbids them for security.
    return hashlib.new(name, raw(data), usedforsecurity=False).digest()


def hmac_digest(name: str, data: str | bytes, key: str | bytes) -> bytes:
    """The HMAC of ``data`` under ``key``."""
    return hmac.new(raw(key), raw(data), name).digest()


HOST: dict[str, Any] = {"digest": digest, "hmac": hmac_digest}
