"""The Temporal kinds: temporal.client and temporal.worker (spec/registry.md, section 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..nodes import Node
from ..schema import Flaw, Mismatch, Scope, decode_record, record, setting
from ..secret import Secret
from ..types import (
    Bool,
    Choice,
    Duration,
    EntryId,
    Integer,
    MapOf,
    Number,
    PathText,
    Record,
    SecretText,
    Text,
    Word,
)
from .entry import ServiceEntry

SEARCH_ATTRIBUTE_TYPES = ("Text", "Keyword", "Int", "Double", "Bool", "Datetime", "KeywordList")

_ADDRESS = re.compile(r"[^\s/]+:[0-9]{1,5}")
_RATE = Number(minimum=0)


@record
class AuthConfig:
    """How the client proves who it is.

    Attributes:
        type: ``none``, ``api_key`` or ``mtls``.
        api_key, api_key_file: the key, or the file that holds it; exactly one with ``api_key``.
        cert_pem, cert_file: the client certificate; exactly one with ``mtls``.
        key_pem, key_file: its private key; exactly one with ``mtls``.
    """

    type: str = setting(Choice(("none", "api_key", "mtls")), default="none")
    api_key: Secret | None = setting(
        SecretText(), default=None, env="api_key_env", conflict="multiple API key sources specified"
    )
    api_key_file: Path | None = setting(PathText(), default=None)
    cert_pem: str | None = setting(
        Text(), default=None, env="cert_env", conflict="multiple mTLS certificate sources specified"
    )
    cert_file: Path | None = setting(PathText(), default=None)
    key_pem: Secret | None = setting(
        SecretText(), default=None, env="key_pem_env", conflict="multiple mTLS key sources specified"
    )
    key_file: Path | None = setting(PathText(), default=None)

    def flaws(self) -> Iterator[Flaw]:
        key = (self.api_key and self.api_key.reveal(), self.api_key_file)
        certificate = (self.cert_pem, self.cert_file)
        private = (self.key_pem and self.key_pem.reveal(), self.key_file)
        if self.type == "api_key":
            yield from _exactly_one(key, "API key", "api_key, api_key_env, api_key_file")
        if self.type == "mtls":
            yield from _exactly_one(certificate, "mTLS certificate", "cert_file, cert_pem, cert_env")
            yield from _exactly_one(private, "mTLS key", "key_file, key_pem, key_pem_env")
        if self.type != "api_key" and any(key):
            yield _unused("an API key", self.type, "api_key")
        if self.type != "mtls" and any(certificate + private):
            yield _unused("a certificate or key", self.type, "mtls")


def _exactly_one(sources: tuple[object, object], what: str, fields: str) -> Iterator[Flaw]:
    given = sum(1 for source in sources if source)
    if given == 0:
        source = " source" if what == "API key" else ""
        yield Flaw("", f"{what}{source} is required", expected=f"one of {fields}")
    elif given > 1:
        yield Flaw("", f"multiple {what} sources specified", expected=f"exactly one of {fields}")


def _unused(what: str, type: str, right: str) -> Flaw:
    message = f"{what} is given, but auth.type is {type}: it is not used"
    return Flaw("type", message, hint=f"write type: {right}", severity="warning")


@record
class TlsConfig:
    """Transport security; ``api_key`` and ``mtls`` imply it."""

    enabled: bool = setting(Bool(), default=False)
    ca_file: Path | None = setting(PathText(), default=None)
    server_name: str = setting(Text(), default="")
    insecure_skip_verify: bool = setting(Bool(), default=False)

    def flaws(self) -> Iterator[Flaw]:
        if self.insecure_skip_verify and self.server_name:
            hint = "a name that is not verified has no use: remove one of the two"
            yield Flaw("insecure_skip_verify", "cannot use insecure skip verify with server name", hint=hint)


@record
class HealthCheck:
    """Regular checks of the connection."""

    enabled: bool = setting(Bool(), default=False)
    interval: timedelta = setting(Duration(), default=timedelta(seconds=30))

    def flaws(self) -> Iterator[Flaw]:
        if self.enabled and not self.interval:
            yield Flaw("interval", "health check interval must be > 0 when enabled", show=True)


@record
class ClientEntry(ServiceEntry):
    """A connection to a Temporal service.

    Attributes:
        address: ``host:port``.
        namespace: the Temporal namespace.
        tq_prefix: stands before the task queue of every worker of this client.
        grpc_compression: ``gzip`` or ``none``; when None, gzip with TLS and none without: what leaves the cluster is
            paid by the byte, within it compression costs more than it saves.
        search_attributes: the search attributes that the application uses, name -> type, one of
            ``SEARCH_ATTRIBUTE_TYPES`` (spec/decisions.md, 35).
    """

    address: str = setting(Text(), required="address is required")
    namespace: str = setting(Text(empty=False), default="default")
    tq_prefix: str = setting(Text(), default="")
    connection_timeout: timedelta = setting(Duration(), default=timedelta(seconds=10))
    keep_alive_time: timedelta = setting(Duration(), default=timedelta(seconds=30))
    keep_alive_timeout: timedelta = setting(Duration(), default=timedelta(seconds=10))
    grpc_compression: str | None = setting(Choice(("gzip", "none")), default=None)
    auth: AuthConfig = setting(Record(AuthConfig, secret=True), default=AuthConfig())
    tls: TlsConfig = setting(Record(TlsConfig), default=TlsConfig())
    health_check: HealthCheck = setting(Record(HealthCheck), default=HealthCheck())
    search_attributes: dict[str, str] = setting(MapOf(Word(SEARCH_ATTRIBUTE_TYPES)), default_factory=dict)

    @property
    def tls_enabled(self) -> bool:
        """True when the connection is encrypted, asked for or implied by ``auth``."""
        return self.tls.enabled or self.auth.type != "none"

    def flaws(self) -> Iterator[Flaw]:
        if not _ADDRESS.fullmatch(self.address):
            yield Flaw("address", "is not an address", expected="host:port, such as localhost:7233", show=True)


@record
class WorkerOptions:
    """Options of a worker; 0 seconds and 0 per second mean no limit or the SDK's own default.

    Attributes:
        explicit: names of the options that the YAML gives, so that one without effect can be named in a warning.
    """

    identity: str = setting(Text(), default="")
    max_concurrent_activity_execution_size: int = setting(Integer(replace=1000), default=1000)
    max_concurrent_workflow_task_execution_size: int = setting(Integer(replace=1000), default=1000)
    max_concurrent_local_activity_execution_size: int = setting(Integer(replace=1000), default=1000)
    max_concurrent_session_execution_size: int = setting(Integer(replace=1000), default=1000)
    max_concurrent_eager_activity_execution_size: int = setting(Integer(replace=0), default=0)
    max_concurrent_activity_task_pollers: int = setting(Integer(replace=20), default=20)
    max_concurrent_workflow_task_pollers: int = setting(Integer(replace=20), default=20)
    worker_activities_per_second: float = setting(_RATE, default=0.0)
    worker_local_activities_per_second: float = setting(_RATE, default=0.0)
    task_queue_activities_per_second: float = setting(_RATE, default=0.0)
    sticky_schedule_to_start_timeout: timedelta = setting(Duration(), default=timedelta(seconds=5))
    worker_stop_timeout: timedelta = setting(Duration(), default=timedelta())
    deadlock_detection_timeout: timedelta = setting(Duration(), default=timedelta())
    max_heartbeat_throttle_interval: timedelta = setting(Duration(), default=timedelta())
    default_heartbeat_throttle_interval: timedelta = setting(Duration(), default=timedelta())
    enable_logging_in_replay: bool = setting(Bool(), default=False)
    enable_session_worker: bool = setting(Bool(), default=False)
    disable_workflow_worker: bool = setting(Bool(), default=False)
    local_activity_worker_only: bool = setting(Bool(), default=False)
    disable_eager_activities: bool = setting(Bool(), default=False)
    disable_registration_aliasing: bool = setting(Bool(), default=False)
    deployment_name: str = setting(Text(), default="")
    build_id: str = setting(Text(), default="", env="build_id_env")
    use_versioning: bool = setting(Bool(), default=False)
    default_versioning_behavior: str | None = setting(Choice(("pinned", "auto_upgrade")), default=None)
    explicit: frozenset[str] = frozenset()

    def flaws(self) -> Iterator[Flaw]:
        if self.max_concurrent_workflow_task_pollers == 1:
            field = "max_concurrent_workflow_task_pollers"
            yield Flaw(
                field,
                "max concurrent workflow task pollers cannot be 1",
                hint="sticky and normal task queue each need a poller: write 2 or more",
            )
        if self.disable_workflow_worker and self.local_activity_worker_only:
            yield Flaw(
                "local_activity_worker_only",
                "disable_workflow_worker and local_activity_worker_only exclude each other",
                hint="together nothing is left to do: remove one of the two",
            )


@dataclass(frozen=True)
class WorkerOptionsMap:
    """Worker options, with the note which of them were given."""

    def decode(self, node: Node, scope: Scope) -> WorkerOptions:
        if not isinstance(node.value, dict):
            raise Mismatch("has the wrong type", expected="a map")
        given: dict[str, Any] = {"explicit": frozenset(name.removesuffix("_env") for name in node.value)}
        return decode_record(WorkerOptions, node, scope, given)


@record
class WorkerEntry(ServiceEntry):
    """A worker: polls one task queue of one client for the workflows and activities that name it.

    Attributes:
        client: id of the temporal.client.
        task_queue: the queue that is polled: the client's ``tq_prefix`` and the queue of the YAML.
    """

    client: str = setting(EntryId(("temporal.client",)), required="client reference is required")
    task_queue: str = setting(Text(), required="task queue is required")
    worker_options: WorkerOptions = setting(WorkerOptionsMap(), default=WorkerOptions())

    @property
    def requires(self) -> tuple[str, ...]:
        """Ids of what must be started before it; its client always is."""
        return tuple(dict.fromkeys((self.client, *self.lifecycle.dependencies)))
