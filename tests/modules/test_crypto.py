"""crypto, hash and base64 against Python's own (spec/lua_api.md, sections 10, 11 and 14)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ERRORS = "local function kind(v, err) return {v == nil, err:kind(), err:message()} end "
SECRET = "a secret that is long enough for each of the algorithms used here, HS512 included"


@pytest.fixture(scope="module")
def rsa_key() -> tuple[str, str]:
    """Private and public key in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("data", ["", "text", "\x00\x7f", "é" * 1000])
async def test_digests(run_lua: Any, name: str, data: str) -> None:
    got = await run_lua(
        f"local d = ... return {{hash.{name}(d), #hash.{name}(d, true), hash.hmac_{name}(d, 'key')}}", data
    )
    digest = hashlib.new(name, data.encode())
    assert got == [digest.hexdigest(), digest.digest_size, hmac.new(b"key", data.encode(), name).hexdigest()]


async def test_fnv_is_fnv_1(run_lua: Any) -> None:
    # The published test vectors of FNV-1 for "foobar".
    got = await run_lua("return {hash.fnv32('foobar'), string.format('%x', hash.fnv64('foobar')), hash.fnv32('')}")
    assert got == [0x31F0B262, "340d8765a4dda9c2", 0x811C9DC5]


async def test_hash_of_what_is_no_string(run_lua: Any) -> None:
    assert await run_lua(ERRORS + "return {kind(hash.md5(5)), kind(hash.hmac_sha1('x')), kind(hash.fnv32({}))}") == [
        [True, "INVALID", "md5: data must be a string, got number"],
        [True, "INVALID", "hmac_sha1: secret must be a string, got nil"],
        [True, "INVALID", "fnv32: data must be a string, got table"],
    ]


async def test_base64(run_lua: Any) -> None:
    data = bytes(range(256))
    assert await run_lua("return base64.encode(...)", data) == base64.b64encode(data).decode()
    assert await run_lua("return base64.decode(...)", base64.b64encode(data).decode()) == data
    assert await run_lua("return base64.decode('aGFs\\r\\nbG8=\\n')") == "hallo"
    assert await run_lua("return {base64.encode(''), base64.decode('')}") == ["", ""]
    for wrong in ("a", "aGFs!", "aGFsbG8"):
        assert (await run_lua(ERRORS + "return kind(base64.decode(...))", wrong))[:2] == [True, "INVALID"]
    assert await run_lua(ERRORS + "return kind(base64.encode(nil))") == [True, "INVALID", "string expected, got nil"]


async def test_random(run_lua: Any) -> None:
    got = await run_lua("""
        local seen = {}
        for _, ch in utf8.codes(crypto.random.string(2000, 'äb')) do seen[utf8.char(ch)] = true end
        return {#crypto.random.bytes(32), #crypto.random_bytes(1048576),
            crypto.random.bytes(8) ~= crypto.random.bytes(8),
            crypto.random.string(40):match('^[%w]+$') ~= nil, #crypto.random.string(40), seen['ä'], seen['b'],
            crypto.random.uuid()}
    """)
    assert got[:7] == [32, 1048576, True, True, 40, True, True]
    assert got[7][14] == "4" and got[7][19] in "89ab" and len(got[7]) == 36


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("random.bytes(0)", "length must be positive, got 0"),
        ("random.bytes(1048577)", "length must be at most 1048576, got 1048577"),
        ("random.string(5, '')", "charset cannot be empty"),
        ("hmac.sha256('', 'x')", "key cannot be empty"),
        ("encrypt.aes('x', 'short')", "the key has 5 bytes: aes needs 16 or 24 or 32"),
        ("encrypt.chacha20('x', ('k'):rep(16))", "the key has 16 bytes: chacha20 needs 32"),
        ("decrypt.aes('tooshort', ('k'):rep(16))", "the data has 8 bytes: too short to be encrypted data"),
        ("pbkdf2('', 's', 1, 1)", "password cannot be empty"),
        ("pbkdf2('p', '', 1, 1)", "salt cannot be empty"),
        ("pbkdf2('p', 's', 0, 1)", "iterations must be positive"),
        ("pbkdf2('p', 's', 10000001, 1)", "iterations must be at most 10000000"),
        ("pbkdf2('p', 's', 1, 0)", "length must be positive"),
        ("pbkdf2('p', 's', 1, 1, 'md5')", "unknown digest md5: sha256 or sha512"),
        ("jwt.encode({}, '')", "key cannot be empty"),
        ("jwt.encode({a = 1}, 'k', 'none')", "unknown algorithm 'none': one of HS256, HS384, HS512, RS256"),
        ("jwt.encode({_header = {alg = 'HS512'}}, 'k')", "the header says 'HS512', the algorithm is HS256"),
    ],
)
async def test_refusals(run_lua: Any, call: str, text: str) -> None:
    assert await run_lua(ERRORS + f"return kind(crypto.{call})") == [True, "INVALID", text]


async def test_wrong_types_raise(run_lua: Any) -> None:
    assert await run_lua("local ok, err = pcall(crypto.hmac.sha256, 5, 'x') return err") == (
        "bad argument #1 to 'sha256' (string expected, got number)"
    )


async def test_encryption_round_trip_and_tampering(run_lua: Any) -> None:
    got = await run_lua("""
        local out = {}
        for name, size in pairs{aes = 16, chacha20 = 32} do
            local key = crypto.random.bytes(size)
            local sealed = crypto.encrypt[name]('the secret', key, 'context')
            local _, other_aad = crypto.decrypt[name](sealed, key, 'another')
            local last = string.char((sealed:byte(-1) + 1) % 256)
            local _, changed = crypto.decrypt[name](sealed:sub(1, -2) .. last, key, 'context')
            out[name] = {crypto.decrypt[name](sealed, key, 'context'), #sealed, other_aad:kind(), changed:kind(),
                sealed ~= crypto.encrypt[name]('the secret', key, 'context')}
        end
        return out
    """)
    assert got == {name: ["the secret", 12 + 10 + 16, "INTERNAL", "INTERNAL", True] for name in ("aes", "chacha20")}


async def test_pbkdf2(run_lua: Any) -> None:
    for digest, length in (("sha256", 32), ("sha512", 100)):
        got = await run_lua(
            "local d, n = ... return base64.encode(crypto.pbkdf2('pässword', 'salt', 1000, n, d))", digest, length
        )
        assert base64.b64decode(got) == hashlib.pbkdf2_hmac(digest, "pässword".encode(), b"salt", 1000, length)


async def test_constant_time_compare(run_lua: Any) -> None:
    got = await run_lua("""
        local same = crypto.constant_time_compare
        return {same('a', 'a'), same('a', 'b'), same('a', 'ab'), same('', '')}
    """)
    assert got == [True, False, False, True]


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_tokens_agree_with_pyjwt(run_lua: Any, algorithm: str) -> None:
    claims = {"sub": "ü", "n": 9007199254740993, "list": [1, 2.5], "exp": int(time.time()) + 60}
    token = await run_lua(
        "local claims, key, alg = ... claims._header = {kid = 'k1'} return crypto.jwt.encode(claims, key, alg)",
        claims,
        SECRET,
        algorithm,
    )
    assert jwt.decode(token, SECRET, algorithms=[algorithm]) == claims
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": "k1"}
    theirs = jwt.encode(claims, SECRET, algorithm=algorithm)
    assert await run_lua("return crypto.jwt.verify(...)", theirs, SECRET, algorithm) == claims


async def test_rsa_tokens(run_lua: Any, rsa_key: tuple[str, str]) -> None:
    private, public = rsa_key
    token = await run_lua("local key = ... return crypto.jwt.encode({exp = 99999999999}, key, 'RS256')", private)
    assert jwt.decode(token, public, algorithms=["RS256"]) == {"exp": 99999999999}
    got = await run_lua("local t, k = ... return crypto.jwt.verify(t, k, 'RS256')", token, public)
    assert got == {"exp": 99999999999}
    confused = await run_lua(ERRORS + "local k = ... return kind(crypto.jwt.encode({exp = 1}, k, 'HS256'))", public)
    assert confused[1] == "INVALID" and "does not fit HS256" in confused[2]


async def test_tokens_that_are_refused(run_lua: Any) -> None:
    now = int(time.time())
    cases = {
        "not a token": "nonsense",
        "expired": jwt.encode({"exp": now - 5}, SECRET),
        "not valid yet": jwt.encode({"exp": now + 60, "nbf": now + 30}, SECRET),
        "no exp claim": jwt.encode({"sub": "x"}, SECRET),
        "signature does not fit": jwt.encode({"exp": now + 60}, SECRET + "x"),
        "signed with 'HS512'": jwt.encode({"exp": now + 60}, SECRET, algorithm="HS512"),
        "signed with 'none'": jwt.encode({"exp": now + 60}, None, algorithm="none"),
    }
    for text, token in cases.items():
        got = await run_lua(ERRORS + "return kind(crypto.jwt.verify(...))", token, SECRET)
        assert got[:2] == [True, "INTERNAL"] and text in got[2], (text, got)
    forever = jwt.encode({"sub": "x"}, SECRET)
    got = await run_lua("local t, k = ... return crypto.jwt.verify(t, k, 'HS256', false)", forever, SECRET)
    assert got == {"sub": "x"}
