"""A ``temporal.client`` entry as a connected client (spec/registry.md, section 3)."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Interceptor, Plugin
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression, KeepAliveConfig, RPCError, RPCStatusCode, TLSConfig

from fleet.registry import ClientEntry

from .connect_error import SERVER_HINT, ConnectError, explain

HEALTH_CHECK_TIMEOUT = timedelta(seconds=5)
KEY_CHECK_INTERVAL = timedelta(seconds=30)
_DEFAULT_TIMEOUT = timedelta(seconds=10)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """Where and how to connect: an entry's wishes with the overrides applied and the files read.

    ``tls`` is the SDK's TLS configuration or ``False``; ``api_key`` the key or ``None``; ``timeout`` bounds the
    connect. The secrets in it are kept out of its ``repr``.
    """

    address: str
    namespace: str
    timeout: timedelta
    keep_alive: KeepAliveConfig
    compression: GrpcCompression
    auth: str
    tls: TLSConfig | bool = dataclasses.field(repr=False)
    api_key: str | None = dataclasses.field(repr=False)


async def connect(
    entry: ClientEntry,
    *,
    address: str | None = None,
    namespace: str | None = None,
    plaintext: bool = False,
    identity: str | None = None,
    runtime: Runtime | None = None,
    data_converter: DataConverter = DataConverter.default,
    interceptors: Sequence[Interceptor] = (),
    plugins: Sequence[Plugin] = (),
) -> Client:
    """Connect as ``entry`` says, and make sure that its namespace exists.

    :param address: ``host:port`` in place of the entry's. ``namespace`` likewise.
    :param plaintext: no TLS and no credentials whatever the entry says: for the embedded server, which has neither.
    :param identity: of the client in histories; ``None`` is ``pid@host``.
    :param runtime: Temporal runtime; ``None`` is the process's default one.
    :raises ConnectError: within the entry's ``connection_timeout`` (10 s if that is 0), and at once when the server
        refuses.

    ``tls.insecure_skip_verify`` has no counterpart in the SDK: the server's certificate is always verified
    (:func:`client_warnings` says so). An ``api_key_file`` is read here; :func:`watch` follows its changes.
    """
    target = client_target(entry, address=address, namespace=namespace, plaintext=plaintext)
    seconds = target.timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            client = await Client.connect(
                target.address,
                namespace=target.namespace,
                api_key=target.api_key,
                tls=target.tls,
                keep_alive_config=target.keep_alive,
                grpc_compression=target.compression,
                connect_timeout=target.timeout,
                identity=identity,
                runtime=runtime,
                data_converter=data_converter,
                interceptors=list(interceptors),
                plugins=list(plugins),
            )
            await _check_namespace(client, entry, target)
    except TimeoutError:
        raise _failure(entry, target, f"no answer within {seconds:g} s", SERVER_HINT) from None
    except (RuntimeError, ValueError, RPCError) as error:
        secret, tls = target.api_key, target.tls is not False
        raise _failure(entry, target, *explain(str(error), tls=tls, secret=secret)) from None
    return client


def client_target(
    entry: ClientEntry, *, address: str | None = None, namespace: str | None = None, plaintext: bool = False
) -> Target:
    """What :func:`connect` uses: ``entry``, the overrides, and the contents of the files that it names.

    :raises ConnectError: the address is none, or a file cannot be read or does not hold what it should.
    """
    auth = "none" if plaintext else entry.auth.type
    address = address or entry.address
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConnectError(f"{_place(entry)}: the address {address!r} is not host:port, such as localhost:7233")
    encrypted = entry.tls_enabled and not plaintext
    compression = entry.grpc_compression or ("gzip" if encrypted else "none")
    return Target(
        address=address,
        namespace=namespace or entry.namespace,
        timeout=entry.connection_timeout or _DEFAULT_TIMEOUT,
        keep_alive=KeepAliveConfig(
            interval_millis=_millis(entry.keep_alive_time), timeout_millis=_millis(entry.keep_alive_timeout)
        ),
        compression=GrpcCompression.GZIP if compression == "gzip" else GrpcCompression.NONE,
        auth=auth,
        tls=_tls(entry) if encrypted else False,
        api_key=_api_key(entry) if auth == "api_key" else None,
    )


def client_warnings(entry: ClientEntry) -> list[str]:
    """The options of ``entry`` that are given and have no effect, one text each, with the reason."""
    warnings = []
    if entry.tls.insecure_skip_verify:
        warnings.append(
            f"{_place(entry)}: tls.insecure_skip_verify has no effect: the SDK always verifies certificates;"
            " for a certificate of your own give its authority as tls.ca_file"
        )
    unused = [name for name in ("ca_file", "server_name") if getattr(entry.tls, name)]
    if unused and not entry.tls_enabled:
        fields = " and ".join(f"tls.{name}" for name in unused)
        warnings.append(f"{_place(entry)}: {fields} without effect: TLS is off (tls.enabled: true switches it on)")
    return warnings


async def watch(client: Client, entry: ClientEntry, *, on_health: Callable[[bool, str], None] | None = None) -> None:
    """Look after ``client`` until cancelled: ``health_check`` and the rotation of ``auth.api_key_file``.

    With ``health_check.enabled`` the server is asked every ``interval``, each time for 5 s at most; a change is logged
    and given to ``on_health`` as (healthy, reason). A changed key file is taken over within 30 s; while it cannot be
    read the old key stays. Returns at once if the entry asks for neither.
    """
    jobs: list[Awaitable[None]] = []
    if entry.health_check.enabled:
        jobs.append(_watch_health(client, entry, on_health))
    if entry.auth.type == "api_key" and entry.auth.api_key_file is not None:
        jobs.append(_watch_key(client, entry))
    await asyncio.gather(*jobs)


async def _watch_health(client: Client, entry: ClientEntry, on_health: Callable[[bool, str], None] | None) -> None:
    healthy = True
    while True:
        await asyncio.sleep(entry.health_check.interval.total_seconds())
        reason = ""
        try:
            if not await client.service_client.check_health(timeout=HEALTH_CHECK_TIMEOUT):
                reason = "the server says that it is not serving"
        except (RPCError, RuntimeError) as error:
            reason = getattr(error, "message", "") or str(error)
        if bool(reason) == healthy:
            healthy = not reason
            if healthy:
                log.info("temporal.client %s: healthy again", entry.id)
            else:
                log.error("temporal.client %s: unhealthy: %s", entry.id, reason)
            if on_health is not None:
                on_health(healthy, reason)


async def _watch_key(client: Client, entry: ClientEntry) -> None:
    while True:
        await asyncio.sleep(KEY_CHECK_INTERVAL.total_seconds())
        try:
            key = _api_key(entry)
        except ConnectError as error:
            log.warning("temporal.client %s: the API key is not renewed: %s", entry.id, error)
            continue
        if key != client.api_key:
            client.api_key = key
            log.info("temporal.client %s: new API key from %s", entry.id, entry.auth.api_key_file)


async def _check_namespace(client: Client, entry: ClientEntry, target: Target) -> None:
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=target.namespace))
    except RPCError as error:
        # A key may be good for workflows and not for this question: then the first poll will tell.
        if error.status in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED):
            return
        if error.status == RPCStatusCode.NOT_FOUND:
            hint = (
                f"create it with `temporal operator namespace create -n {target.namespace} --address {target.address}`"
                " or correct the client's namespace"
            )
            raise _failure(entry, target, f"the namespace {target.namespace!r} does not exist there", hint) from None
        raise


def _tls(entry: ClientEntry) -> TLSConfig:
    auth = entry.auth
    config = TLSConfig(domain=entry.tls.server_name or None)
    if entry.tls.ca_file is not None:
        config.server_root_ca_cert = _pem(entry, "tls.ca_file", entry.tls.ca_file)
    if auth.type == "mtls":
        if auth.cert_file is not None:
            config.client_cert = _pem(entry, "auth.cert_file", auth.cert_file)
        elif auth.cert_pem is not None:
            config.client_cert = auth.cert_pem.encode()
        if auth.key_file is not None:
            config.client_private_key = _pem(entry, "auth.key_file", auth.key_file)
        elif auth.key_pem is not None:
            config.client_private_key = auth.key_pem.reveal().encode()
    return config


def _api_key(entry: ClientEntry) -> str:
    if entry.auth.api_key is not None:
        return entry.auth.api_key.reveal().strip()
    path = entry.auth.api_key_file
    assert path is not None, "the registry lets no api_key client pass without a source"
    try:
        key = _read(entry, "auth.api_key_file", path).decode("ascii").strip()
    except UnicodeDecodeError:
        key = ""
    if not key or any(character.isspace() for character in key):
        raise ConnectError(f"{_place(entry)}: auth.api_key_file: {path} does not hold an API key (one word of ASCII)")
    return key


def _pem(entry: ClientEntry, field: str, path: Path) -> bytes:
    data = _read(entry, field, path)
    if b"-----BEGIN " not in data:
        raise ConnectError(f"{_place(entry)}: {field}: {path} is not a PEM file (it has no -----BEGIN line)")
    return data


def _read(entry: ClientEntry, field: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConnectError(f"{_place(entry)}: {field}: cannot read {path}: {error.strerror}") from None


def _failure(entry: ClientEntry, target: Target, what: str, hint: str) -> ConnectError:
    tls = "TLS" if target.tls is not False else "no TLS"
    if entry.tls.insecure_skip_verify and "certificate" in what:
        hint = f"insecure_skip_verify has no effect here: {hint}"
    return ConnectError(
        f"{_place(entry)}: cannot connect to Temporal at {target.address}, namespace {target.namespace}: {what}\n"
        f"    tried: {tls}, auth {target.auth}, up to {target.timeout.total_seconds():g} s\n"
        f"    {hint}"
    )


def _place(entry: ClientEntry) -> str:
    return f"{entry.file}:{entry.line}: entry {entry.id}"


def _millis(duration: timedelta) -> int:
    return max(1, int(duration.total_seconds() * 1000))
