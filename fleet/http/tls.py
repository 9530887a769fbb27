"""The certificates of a server (spec/registry.md, section 5)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleet.registry import App, HttpServiceEntry

_VERIFY = {
    None: ssl.CERT_REQUIRED,
    "verify_if_given": ssl.CERT_OPTIONAL,
    "require_and_verify": ssl.CERT_REQUIRED,
}


class TlsError(Exception):
    """Certificates that cannot be used; the text names the field."""


def server_context(entry: HttpServiceEntry, app: App) -> ssl.SSLContext | None:
    """The TLS settings of a service, None for plain HTTP. Raises TlsError.

    ``cert``, ``key`` and ``client_ca`` are PEM text or names of PEM files, relative to the application. With a
    ``client_ca`` clients need a certificate of it, unless ``client_auth`` is ``verify_if_given``.
    """
    tls = entry.tls
    if tls.mode != "manual" or tls.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        with _file(tls.cert, app.root) as cert, _file(tls.key.reveal(), app.root) as key:
            # A key with a passphrase must not ask for it on the terminal of a server.
            context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        raise TlsError(f"tls.cert and tls.key cannot be used: {_reason(error)}") from None
    if tls.client_ca:
        try:
            with _file(tls.client_ca, app.root) as ca:
                context.load_verify_locations(ca)
        except (OSError, ValueError) as error:
            raise TlsError(f"tls.client_ca cannot be used: {_reason(error)}") from None
        context.verify_mode = _VERIFY[tls.client_auth]
    return context


@contextmanager
def _file(value: str, root: Path) -> Iterator[Path]:
    """OpenSSL reads files only; a text gets one for a moment, in memory: a key is not for disks, which may be full."""
    if "-----BEGIN" not in value:
        yield root / value
        return
    with os.fdopen(os.memfd_create("fleet-tls"), "wb") as file:
        file.write(value.encode())
        file.flush()
        yield Path(f"/proc/self/fd/{file.fileno()}")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
