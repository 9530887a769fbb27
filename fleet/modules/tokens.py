"""JSON Web Tokens for ``crypto.jwt`` (spec/lua_api.md, section 10; RFC 7515 and 7519).

Claims and header cross as JSON text, written and read by the core's own codec, so that numbers stay what they are.
The algorithms and their rules for keys (no PEM as an HMAC secret, no short RSA key) are those of PyJWT.
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from fleet._core import LuaError

from .caller import raw

if TYPE_CHECKING:
    from jwt.algorithms import Algorithm

ALGORITHMS = ("HS256", "HS384", "HS512", "RS256")


@cache
def _algorithm(name: str) -> Algorithm:
    from jwt.algorithms import get_default_algorithms

    return get_default_algorithms()[name]


def _refusal() -> type[Exception]:
    from jwt.exceptions import PyJWTError

    return PyJWTError


def _failed(message: str, kind: str = "INTERNAL") -> LuaError:
    return LuaError(message, kind, False)


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(data: bytes) -> bytes:
    # urlsafe_b64decode drops what it does not know, which would give one token many spellings.
    return base64.b64decode(data.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(data) % 4), validate=True)


def jwt_sign(claims: str | bytes, header: str | bytes | None, key: str | bytes, algorithm: str) -> str | LuaError:
    """A signed token.

    Args:
        claims: JSON of the claims.
        header: JSON of further header fields, or None.
        key: the shared secret, or a private key in PEM for RS256.
        algorithm: one of ALGORITHMS.
    """
    if algorithm not in ALGORITHMS:
        return _failed(f"unknown algorithm {algorithm!r}: one of {', '.join(ALGORITHMS)}", "INVALID")
    fields = {"alg": algorithm, "typ": "JWT"}
    if header is not None:
        more = json.loads(header)
        if more and not isinstance(more, dict):
            return _failed("the header fields must have names", "INVALID")
        fields |= dict(more)
        if fields["alg"] != algorithm:
            return _failed(f"the header says {fields['alg']!r}, the algorithm is {algorithm}", "INVALID")
    protected = _encode(json.dumps(fields, separators=(",", ":"), sort_keys=True).encode())
    message = protected + b"." + _encode(raw(claims))
    try:
        signer = _algorithm(algorithm)
        signature = signer.sign(message, signer.prepare_key(raw(key)))
    except (_refusal(), ValueError, TypeError) as error:
        return _failed(f"the key does not fit {algorithm}: {error}", "INVALID")
    return (message + b"." + _encode(signature)).decode()


def jwt_verify(
    token: str | bytes, key: str | bytes, algorithm: str, need_expiry: bool, now: int
) -> str | bytes | LuaError:
    """The claims (JSON text) of a token that is signed with ``key`` by ``algorithm`` and valid at ``now``.

    Args:
        token: the token.
        key: the shared secret, or a public key in PEM for RS256.
        algorithm: the only one that is accepted, whatever the token says.
        need_expiry: refuse a token that never expires.
        now: nanoseconds since 1970.
    """
    if algorithm not in ALGORITHMS:
        return _failed(f"unknown algorithm {algorithm!r}: one of {', '.join(ALGORITHMS)}")
    try:
        protected, body, signature = raw(token).split(b".")
        header = json.loads(_decode(protected))
        claims = _decode(body)
        values = json.loads(claims)
        given = _decode(signature)
    except (ValueError, binascii.Error):
        return _failed("not a token: three parts of base64url, the first two JSON, were expected")
    if not isinstance(header, dict) or not isinstance(values, dict):
        return _failed("not a token: header and claims must be JSON objects")
    if header.get("alg") != algorithm:
        return _failed(f"the token is signed with {header.get('alg')!r}, {algorithm} was expected")
    if "crit" in header:
        return _failed("the token has critical header fields, which are not supported")
    try:
        verifier = _algorithm(algorithm)
        genuine = verifier.verify(raw(token).rpartition(b".")[0], verifier.prepare_key(raw(key)), given)
    except (_refusal(), ValueError, TypeError) as error:
        return _failed(f"the key does not fit {algorithm}: {error}")
    if not genuine:
        return _failed("the signature does not fit the token and the key")
    return _untimely(values, need_expiry, now / 1e9) or claims


def _untimely(claims: dict[str, Any], need_expiry: bool, now: float) -> LuaError | None:
    for name in ("exp", "nbf"):
        value = claims.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return _failed(f"the claim {name} is no number")
    expiry, start = claims.get("exp"), claims.get("nbf")
    if expiry is None and need_expiry:
        return _failed("the token has no exp claim")
    if expiry is not None and now >= expiry:
        return _failed("the token has expired")
    if start is not None and now < start:
        return _failed("the token is not valid yet")
    return None


HOST: dict[str, Any] = {"jwt_sign": jwt_sign, "jwt_verify": jwt_verify}
