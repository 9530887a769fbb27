"""The Python half of the Lua modules ``crypto`` and ``base64`` (spec/lua_api.md, sections 10 and 14).

Everything here is a function of its arguments: the nonce of a cipher and the time of a token come from the Lua side,
which takes them from the run in workflows.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from typing import Any

from fleet._core import LuaError

from .caller import Caller, raw

NONCE = 12
TAG = 16

_CIPHERS: dict[str, tuple[str, tuple[int, ...]]] = {
    "aes": ("AESGCM", (16, 24, 32)),
    "chacha20": ("ChaCha20Poly1305", (32,)),
}


def _cipher(name: str, key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers import aead

    make, sizes = _CIPHERS[name]
    if len(key) not in sizes:
        wanted = " or ".join(map(str, sizes))
        return LuaError(f"the key has {len(key)} bytes: {name} needs {wanted}", "INVALID", False)
    return getattr(aead, make)(key)


def encrypt(
    name: str, data: str | bytes, key: str | bytes, aad: str | bytes | None, nonce: str | bytes
) -> bytes | LuaError:
    """``nonce .. ciphertext .. tag``; ``name`` is aes (GCM) or chacha20 (Poly1305), ``nonce`` has 12 bytes."""
    cipher = _cipher(name, raw(key))
    if isinstance(cipher, LuaError):
        return cipher
    sealed: bytes = cipher.encrypt(raw(nonce), raw(data), raw(aad) if aad is not None else None)
    return raw(nonce) + sealed


def decrypt(name: str, data: str | bytes, key: str | bytes, aad: str | bytes | None) -> bytes | LuaError:
    """What ``encrypt`` sealed. INVALID: wrong sizes. INTERNAL: another key or aad, or the data was changed."""
    cipher, sealed = _cipher(name, raw(key)), raw(data)
    if isinstance(cipher, LuaError):
        return cipher
    if len(sealed) < NONCE + TAG:
        return LuaError(f"the data has {len(sealed)} bytes: too short to be encrypted data", "INVALID", False)
    from cryptography.exceptions import InvalidTag

    try:
        plain: bytes = cipher.decrypt(sealed[:NONCE], sealed[NONCE:], raw(aad) if aad is not None else None)
    except InvalidTag:
        return LuaError("cannot decrypt: wrong key or aad, or the data was changed", "INTERNAL", False)
    return plain


def pbkdf2(name: str, password: str | bytes, salt: str | bytes, iterations: int, length: int) -> bytes:
    """The key that PBKDF2 derives with HMAC over ``name``."""
    return hashlib.pbkdf2_hmac(name, raw(password), raw(salt), iterations, length)


async def pbkdf2_in_thread(
    call: Caller, name: str, password: str | bytes, salt: str | bytes, iterations: int, length: int
) -> bytes:
    """As ``pbkdf2``, beside the event loop."""
    return await asyncio.to_thread(pbkdf2, name, password, salt, iterations, length)


def same_bytes(a: str | bytes, b: str | bytes) -> bool:
    """Are the two strings equal? The time that it takes does not tell where they differ."""
    return hmac.compare_digest(raw(a), raw(b))


def base64_encode(data: str | bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(raw(data)).decode()


def base64_decode(data: str | bytes) -> bytes | LuaError:
    """The bytes of standard base64 with padding; line breaks are skipped."""
    try:
        return base64.b64decode(raw(data).translate(None, b"\r\n"), validate=True)
    except binascii.Error as error:
        return LuaError(f"not base64: {error}", "INVALID", False)


HOST: dict[str, Any] = {
    "encrypt": encrypt,
    "decrypt": decrypt,
    "pbkdf2": pbkdf2,
    "same_bytes": same_bytes,
    "base64_encode": base64_encode,
    "base64_decode": base64_decode,
}
REQUESTS: dict[str, Any] = {"pbkdf2": pbkdf2_in_thread}
