"""What the SDK's words about a failed connection mean, and what to do about them."""

from __future__ import annotations

from typing import NamedTuple

_DETAIL_LENGTH = 300


class ConnectError(Exception):
    """No usable connection to Temporal; ``str()`` names entry, address, what was tried and what to do.

    Never holds a key or certificate.
    """


class Explanation(NamedTuple):
    """``what`` is wrong, and a ``hint`` what to do."""

    what: str
    hint: str


class _Rule(NamedTuple):
    words: tuple[str, ...]
    tls: bool | None  # None: with TLS and without
    what: str
    hint: str
    quote: bool = True


SERVER_HINT = "is a Temporal server running there? `fleet dev` brings its own"

_CREDENTIALS_HINT = (
    "check auth of the client entry: its type, whether key or certificate is still valid, its rights on the namespace"
)

# The first rule with a word in the SDK's text (lower case) holds.
_RULES = (
    _Rule(
        ("connectionrefused", "connection refused"),
        None,
        "connection refused, nothing listens there",
        SERVER_HINT,
        quote=False,
    ),
    _Rule(
        ("dns error", "failed to lookup address"),
        None,
        "the host name is unknown",
        "check the address (host:port) for spelling, and the name service",
        quote=False,
    ),
    _Rule(
        ("privatekeyparseerror", "invalid private key"),
        True,
        "auth.key_file (or key_pem) holds no private key that can be read",
        "give an unencrypted PEM key; certificate and key may be swapped",
    ),
    _Rule(
        ("inconsistentkeys", "keymismatch"),
        True,
        "the private key does not belong to the client certificate",
        "give the key that auth.cert_file (or cert_pem) was made for",
    ),
    _Rule(
        ("unknownissuer",),
        True,
        "the server's certificate is signed by an authority that is not trusted",
        "give that authority's certificate as tls.ca_file",
    ),
    _Rule(
        ("notvalidforname",),
        True,
        "the server's certificate is for another name",
        "give the name that the certificate carries as tls.server_name",
    ),
    _Rule(
        ("invalidcertificate", "certificateparseerror"),
        True,
        "a certificate is not valid",
        "check its dates and its use; tls.ca_file and auth.cert_file must be PEM certificates",
    ),
    _Rule(
        ("invalidcontenttype", "corrupt message", "wrongversionnumber", "protocolversion"),
        True,
        "the server does not speak TLS",
        "remove tls and auth from the client entry, or correct the port",
    ),
    _Rule(
        # Who asks for a certificate under TLS 1.3 refuses after the handshake: then the connection is just closed.
        (
            "close_notify",
            "fatal alert",
            "connection reset",
            "connectionreset",
            "broken pipe",
            "alertreceived",
            "connection closed",
            "channel closed",
        ),
        True,
        "the server broke off during TLS",
        "it may want a client certificate (auth.type: mtls), or refuse the one that it got",
    ),
    _Rule(
        ("broken pipe", "connection reset", "connectionreset", "h2 protocol", "http2 error", "unexpectedeof"),
        False,
        "what answers there is not plain gRPC",
        "does the server want TLS? Then set tls.enabled: true",
    ),
    _Rule(
        ("unauthenticated", "permissiondenied", "permission denied", "unauthorized"),
        None,
        "the server refuses our credentials",
        _CREDENTIALS_HINT,
    ),
    _Rule(
        ("grpc-status header missing", "unimplemented"),
        None,
        "what answers there is not a Temporal frontend",
        "check host and port: the frontend's gRPC port is 7233 by default, the web UI's is another one",
    ),
)


def explain(text: str, *, tls: bool, secret: str | None) -> Explanation:
    """Explain the SDK's error ``text`` of a connection that was tried with or without ``tls``.

    ``secret`` is struck out of whatever is quoted.
    """
    lowered = text.lower()
    detail = (text.replace(secret, "****") if secret else text).removeprefix("Failed client connect: ")
    detail = detail[:_DETAIL_LENGTH]
    for rule in _RULES:
        if rule.tls in (None, tls) and any(word in lowered for word in rule.words):
            return Explanation(rule.what, rule.hint + (f"\n    (the SDK says: {detail})" if rule.quote else ""))
    return Explanation(detail, SERVER_HINT)
