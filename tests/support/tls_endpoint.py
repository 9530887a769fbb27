"""A TLS front for a plain server: certificates made on the spot, and a proxy that terminates TLS with them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import hpack
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = datetime.datetime.now(datetime.UTC)

Check = Callable[[bytes], bool]
"""Sees what a client sends; False cuts its connection."""


class Authority:
    """A certificate authority whose files lie in a directory: ``ca.pem`` and what :meth:`issue` makes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("test authority")
        certificate = _builder(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_bytes(_pem(certificate.sign(self._key, hashes.SHA256())))

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate for the host ``name`` (a DNS name or an IP address) and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            host: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            host = x509.DNSName(name)
        certificate = (
            _builder(_name(name), self._name, key)
            .add_extension(x509.SubjectAlternativeName([host]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        cert_file, key_file = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        cert_file.write_bytes(_pem(certificate))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_file, key_file


@asynccontextmanager
async def tls_proxy(
    upstream: str, certificate: tuple[Path, Path], client_ca: Path | None = None, api_key: str | None = None
) -> AsyncIterator[str]:
    """Serve TLS with ``certificate`` before the plain ``upstream`` (``host:port``); yields the address.

    With ``client_ca`` clients must show a certificate that it signed; with ``api_key`` each call must carry it, or the
    connection is cut.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2"])
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    check = (lambda: _Calls(api_key).good) if api_key is not None else (lambda: _anything)
    async with relay(upstream, check, context) as address:
        yield address


@asynccontextmanager
async def relay(upstream: str, check: Callable[[], Check], context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Pass connections on to ``upstream`` (``host:port``); yields the address. ``check`` makes a Check for each
    connection."""
    host, port = upstream.split(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(reader, up_writer, check()), _pump(up_reader, writer, _anything))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


class _Calls:
    """Looks at what a client sends over HTTP/2: each call's headers must carry the key."""

    _PREFACE = 24
    _HEADERS, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x4, 0x8, 0x20

    def __init__(self, api_key: str) -> None:
        self._wanted = ("authorization", f"Bearer {api_key}")
        self._decoder = hpack.Decoder()
        self._buffer = b""
        self._skip = self._PREFACE

    def good(self, data: bytes) -> bool:
        """Whether the calls that these bytes complete carry the key."""
        self._buffer += data
        if len(self._buffer) < self._skip:
            return True
        self._buffer, self._skip = self._buffer[self._skip :], 0
        while len(self._buffer) >= 9:
            length = int.from_bytes(self._buffer[:3], "big")
            kind, flags = self._buffer[3], self._buffer[4]
            if len(self._buffer) < 9 + length:
                break
            payload, self._buffer = self._buffer[9 : 9 + length], self._buffer[9 + length :]
            if kind != self._HEADERS:
                continue
            assert flags & self._END_HEADERS and not flags & self._PADDED, (
                "the clients of the tests send no such frames"
            )
            block = payload[5:] if flags & self._PRIORITY else payload
            if self._wanted not in [(str(name), str(value)) for name, value in self._decoder.decode(block)]:
                return False
        return True


def _anything(data: bytes) -> bool:
    return True


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, check: Check) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            if not check(data):
                break
            writer.write(data)
            await writer.drain()
    writer.close()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - datetime.timedelta(hours=1))
        .not_valid_after(_NOW + datetime.timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
