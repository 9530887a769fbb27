"""The embedded Temporal server: a development server of our own, up for as long as we want it and no longer."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from .binary import check_binary, find_binary
from .datafile import DataLock, Holder
from .errors import PortInUseError, ServerError, explain_exit, port_in_use
from .ports import free_port, is_free, listens
from .process import ServerProcess
from .registration import ensure_namespace, ensure_search_attributes

DYNAMIC_CONFIG: Mapping[str, Any] = {
    # A workflow may message and start workflows in other namespaces (decisions.md, 24).
    "system.enableCrossNamespaceCommands": True,
    "frontend.enableUpdateWorkflowExecution": True,
    "frontend.enableUpdateWorkflowExecutionAsyncAccepted": True,
}
"""Server settings that differ from the development server's own."""

DEFAULT_NAMESPACE = "default"
_PORT_ATTEMPTS = 5
_POLL = 0.03
_HEALTH_TIMEOUT = timedelta(seconds=2)


@dataclass(frozen=True)
class _Settings:
    binary: Path
    ip: str
    data_file: Path | None
    namespaces: Sequence[str]
    ui: bool
    port: int | None
    ui_port: int | None
    dynamic_config: Mapping[str, Any]
    log_level: str
    start_timeout: float
    stop_timeout: float
    runtime: Runtime | None


@dataclass
class EmbeddedServer:
    """A running embedded server; made by :meth:`start`.

    ``address`` is ``host:port`` of the frontend, ``ui_url`` the web UI's URL or ``None``, ``namespace`` the first of
    the namespaces asked for, ``binary`` the program that runs, ``data_file`` its data or ``None`` (in memory),
    ``log_file`` what it writes, beside the data, or ``None``; ``client`` a client of ``namespace``.
    """

    address: str
    ui_url: str | None
    namespace: str
    client: Client
    binary: Path
    data_file: Path | None
    log_file: Path | None
    _process: ServerProcess = field(repr=False)

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        *,
        data_file: Path | None = None,
        namespaces: Sequence[str] = (DEFAULT_NAMESPACE,),
        search_attributes: Mapping[str, str] | None = None,
        ui: bool = False,
        ip: str = "127.0.0.1",
        port: int | None = None,
        ui_port: int | None = None,
        binary: Path | None = None,
        dynamic_config: Mapping[str, Any] | None = None,
        log_level: str = "error",
        start_timeout: float = 30.0,
        stop_timeout: float = 10.0,
        runtime: Runtime | None = None,
    ) -> AsyncIterator[EmbeddedServer]:
        """Run a server for the length of an ``async with`` block; it is serving when the block begins.

        :param data_file: SQLite file that a later start goes on from; ``None`` keeps everything in memory.
        :param namespaces: registered if they do not exist; the first one is ``server.namespace``.
        :param search_attributes: ``{name: type}``, registered in each of the namespaces.
        :param ui: serve the web UI too.
        :param ip: address to listen on.
        :param port: frontend port, an error if it is taken; ``None`` takes that of the data file's last server if it is
            free, else any free one. ``ui_port`` likewise.
        :param binary: the ``temporal`` program; ``None`` finds one (:func:`fleet.server.binary.find_binary`).
        :param dynamic_config: server settings over :data:`DYNAMIC_CONFIG`; a key the server does not know is ignored
            by it without a word.
        :param log_level: ``debug``, ``info``, ``warn``, ``error`` or ``never``.
        :param start_timeout: seconds from spawn to serving.
        :param stop_timeout: seconds between SIGTERM and SIGKILL at the end of the block; without a data file the server
            is killed at once.
        :param runtime: Temporal runtime of ``server.client``. Making a client starts the runtime's threads: a process
            that forks workers must run this in a child.
        :raises ServerError: with what failed and what to do; :class:`PortInUseError` for a taken port.
        """
        if binary is not None:
            check_binary(binary)
        settings = _Settings(
            binary=(binary or await find_binary()).absolute(),
            ip=ip,
            data_file=data_file.absolute() if data_file is not None else None,
            namespaces=tuple(namespaces) or (DEFAULT_NAMESPACE,),
            ui=ui or ui_port is not None,
            port=port,
            ui_port=ui_port,
            dynamic_config={**DYNAMIC_CONFIG, **(dynamic_config or {})},
            log_level=log_level,
            start_timeout=start_timeout,
            stop_timeout=stop_timeout,
            runtime=runtime,
        )
        lock = DataLock.acquire(settings.data_file) if settings.data_file is not None else None
        try:
            with _open_log(settings.data_file) as log:
                server = await _start(settings, lock, log)
                try:
                    for name in settings.namespaces:
                        await server.ensure_namespace(name, search_attributes)
                    yield server
                finally:
                    await server.stop()
        finally:
            if lock is not None:
                lock.close()

    async def ensure_namespace(self, name: str, search_attributes: Mapping[str, str] | None = None) -> None:
        """Register namespace ``name`` and its ``search_attributes`` (``{name: type}``) as far as they are missing.

        :raises ServerError: see :mod:`fleet.server.registration`.
        """
        await ensure_namespace(self.client, name)
        await ensure_search_attributes(self.client, name, search_attributes or {})

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def workflow_url(self, workflow_id: str, run_id: str = "", namespace: str | None = None) -> str | None:
        """The web UI's page for a workflow (its history, if ``run_id`` is given); ``None`` without a UI."""
        return self.ui_url and workflow_url(self.ui_url, namespace or self.namespace, workflow_id, run_id)

    async def died(self) -> ServerError | None:
        """Wait until the server ends; return the error that explains it, ``None`` if it was we who stopped it."""
        status = await self._process.wait()
        if self._process.stopping:
            return None
        return explain_exit(status, self._process.tail(), self.binary, self.data_file)

    async def stop(self) -> None:
        """Stop the server before the block ends. May be called again; cancelled, it kills the server at once."""
        await self._process.stop()


def workflow_url(ui_url: str, namespace: str, workflow_id: str, run_id: str = "") -> str:
    """The page of a workflow in the Temporal web UI at ``ui_url``, its history if ``run_id`` is given."""
    url = f"{ui_url.rstrip('/')}/namespaces/{quote(namespace, safe='')}/workflows/{quote(workflow_id, safe='')}"
    return f"{url}/{quote(run_id, safe='')}/history" if run_id else url


async def _start(settings: _Settings, lock: DataLock | None, log: BinaryIO) -> EmbeddedServer:
    for what, port in (("frontend", settings.port), ("UI", settings.ui_port)):
        if port is not None and not is_free(settings.ip, port):
            raise PortInUseError(port_in_use(port, what), port)
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return await _start_once(settings, lock, log, first=attempt == 0)
        except PortInUseError as error:
            # A port we chose was taken between the choice and the bind: choose again.
            if error.port in (settings.port, settings.ui_port) or attempt == _PORT_ATTEMPTS - 1:
                raise
            os.ftruncate(log.fileno(), 0)
            os.lseek(log.fileno(), 0, os.SEEK_SET)
    raise AssertionError("unreachable")


async def _start_once(settings: _Settings, lock: DataLock | None, log: BinaryIO, *, first: bool) -> EmbeddedServer:
    last = lock.previous if lock is not None and first else None
    port = settings.port or free_port(settings.ip, last.port if last else None)
    ui_port = (settings.ui_port or free_port(settings.ip, last.ui_port if last else None)) if settings.ui else None
    host = f"[{settings.ip}]" if ":" in settings.ip else settings.ip
    address = f"{host}:{port}"
    process = await ServerProcess.spawn(
        _command(settings, port, ui_port),
        log=log,
        lock_fd=lock.fd if lock is not None else -1,
        # Without a file there is nothing to save.
        grace=settings.stop_timeout if settings.data_file is not None else 0.0,
    )
    try:
        if lock is not None:
            lock.write(Holder(process.pid, address, port, ui_port))
        client = await _serving(settings, process, address, port)
    except BaseException:
        await process.stop()
        raise
    return EmbeddedServer(
        address=address,
        ui_url=f"http://{host}:{ui_port}" if ui_port else None,
        namespace=settings.namespaces[0],
        client=client,
        binary=settings.binary,
        data_file=settings.data_file,
        log_file=_log_file(settings.data_file),
        _process=process,
    )


def _command(settings: _Settings, port: int, ui_port: int | None) -> list[str]:
    command = [str(settings.binary), "server", "start-dev", "--ip", settings.ip, "--port", str(port)]
    command += ["--log-level", settings.log_level, "--log-format", "text"]
    command += ["--ui-port", str(ui_port)] if ui_port else ["--headless"]
    if settings.data_file is not None:
        command += ["--db-filename", str(settings.data_file)]
    for name in settings.namespaces:
        if name != DEFAULT_NAMESPACE:
            command += ["--namespace", name]
    for key, value in settings.dynamic_config.items():
        command += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
    return command


async def _serving(settings: _Settings, process: ServerProcess, address: str, port: int) -> Client:
    deadline = time.monotonic() + settings.start_timeout
    trouble: object = "no answer yet"
    while True:
        if (status := process.status) is not None:
            raise explain_exit(status, process.tail(), settings.binary, settings.data_file)
        if time.monotonic() > deadline:
            raise ServerError(
                f"the embedded Temporal server (pid {process.pid}) does not serve at {address} after"
                f" {settings.start_timeout:g} s: {trouble}"
            )
        # Asking before the process listens costs a refused connection; asking a stranger on that port, much more.
        if listens(process.pid, port):
            try:
                client = await asyncio.wait_for(
                    Client.connect(address, namespace=settings.namespaces[0], runtime=settings.runtime),
                    max(_POLL, deadline - time.monotonic()),
                )
                if await client.service_client.check_health(timeout=_HEALTH_TIMEOUT):
                    return client
                trouble = "its health check says not serving"
            except (RuntimeError, RPCError, TimeoutError) as error:
                trouble = error
        await asyncio.sleep(_POLL)


def _log_file(data_file: Path | None) -> Path | None:
    return data_file.with_name(data_file.name + ".log") if data_file is not None else None


def _open_log(data_file: Path | None) -> BinaryIO:
    path = _log_file(data_file)
    if path is None:
        # Has no name, so that nothing is left of it however we end.
        return tempfile.TemporaryFile("a+b")
    try:
        log = path.open("a+b", buffering=0)
        log.truncate(0)
    except OSError as error:
        raise ServerError(f"cannot write the embedded server's log {path}: {error.strerror}") from error
    return log
