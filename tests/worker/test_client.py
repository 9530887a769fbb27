"""Connecting as a ``temporal.client`` entry says, to a real server, with and without TLS before it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.service import KeepAliveConfig
from tls_endpoint import Authority, relay, tls_proxy
from worker_entries import client_entry

import fleet.worker.client
from fleet.registry import ClientEntry
from fleet.server import EmbeddedServer
from fleet.worker.client import client_target, client_warnings, connect, watch
from fleet.worker.connect_error import ConnectError

pytestmark = pytest.mark.asyncio

KEY = "sk-live-0123456789"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer.start() as running:
        yield running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "ca").mkdir()
    return Authority(tmp_path / "ca")


@pytest.fixture
def other_authority(tmp_path: Path) -> Authority:
    (tmp_path / "other-ca").mkdir()
    return Authority(tmp_path / "other-ca")


async def refused(entry: ClientEntry, **options: Any) -> str:
    with pytest.raises(ConnectError) as caught:
        await connect(entry, **options)
    return str(caught.value)


async def test_a_plain_connection(tmp_path: Path, server: EmbeddedServer) -> None:
    client = await connect(client_entry(tmp_path / "app", address=server.address), identity="me")
    assert (client.namespace, client.identity) == ("default", "me")
    await client.start_workflow("any", id="w", task_queue="none")


async def test_the_overrides(tmp_path: Path, server: EmbeddedServer) -> None:
    await server.ensure_namespace("other")
    entry = client_entry(tmp_path / "app", namespace="mine", auth={"type": "api_key", "api_key": KEY})
    client = await connect(entry, address=server.address, namespace="other", plaintext=True)
    assert client.namespace == "other"
    assert client.api_key is None


async def test_every_field_arrives(tmp_path: Path) -> None:
    entry = client_entry(
        tmp_path / "app",
        address="temporal.example:7233",
        namespace="shop",
        connection_timeout="3s",
        keep_alive_time="20s",
        keep_alive_timeout="4s",
        tls={"enabled": True, "server_name": "inner.example"},
    )
    target = client_target(entry)
    assert (target.address, target.namespace, target.timeout) == ("temporal.example:7233", "shop", timedelta(seconds=3))
    assert target.keep_alive == KeepAliveConfig(interval_millis=20_000, timeout_millis=4_000)
    assert target.tls is not True and target.tls is not False and target.tls.domain == "inner.example"
    assert client_target(client_entry(tmp_path / "app", connection_timeout="0s")).timeout == timedelta(seconds=10)
    assert client_target(client_entry(tmp_path / "app")).tls is False, "off, also for the SDK's own guess"


@pytest.mark.parametrize(
    ("encrypted", "fields", "compressed"),
    [
        (False, {}, False),
        (False, {"grpc_compression": "gzip"}, True),
        (True, {}, True),
        (True, {"grpc_compression": "none"}, False),
    ],
)
async def test_compression(
    tmp_path: Path,
    server: EmbeddedServer,
    authority: Authority,
    encrypted: bool,
    fields: dict[str, Any],
    compressed: bool,
) -> None:
    sent = 0

    def count(data: bytes) -> bool:
        nonlocal sent
        sent += len(data)
        return True

    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(relay(server.address, lambda: count))
        if encrypted:
            address = await stack.enter_async_context(tls_proxy(address, authority.issue("127.0.0.1")))
            fields = {**fields, "tls": {"enabled": True, "ca_file": str(authority.ca_file)}}
        client = await connect(client_entry(tmp_path / "app", address=address, **fields))
        before = sent
        await client.start_workflow("any", "x" * 100_000, id="w", task_queue="none")
        assert (sent - before < 10_000) == compressed


async def test_nobody_listens(tmp_path: Path) -> None:
    text = await refused(client_entry(tmp_path / "app", address="127.0.0.1:1"))
    assert text == (
        "_index.yaml:2: entry app:temporal: cannot connect to Temporal at 127.0.0.1:1, namespace default:"
        " connection refused, nothing listens there\n"
        "    tried: no TLS, auth none, up to 10 s\n"
        "    is a Temporal server running there? `fleet dev` brings its own"
    )


async def test_nobody_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        text = await refused(client_entry(tmp_path / "app", address=address, connection_timeout="200ms"))
    assert f"at {address}, namespace default: no answer within 0.2 s" in text
    assert "`fleet dev` brings its own" in text


async def test_a_namespace_that_does_not_exist(tmp_path: Path, server: EmbeddedServer) -> None:
    text = await refused(client_entry(tmp_path / "app", address=server.address, namespace="shop"))
    assert "the namespace 'shop' does not exist there" in text
    assert f"`temporal operator namespace create -n shop --address {server.address}`" in text


async def test_bad_addresses(tmp_path: Path) -> None:
    for address in ("temporal", "temporal:", ":7233", "temporal:99999", "temporal:http"):
        text = await refused(client_entry(tmp_path / "app"), address=address)
        assert f"entry app:temporal: the address '{address}' is not host:port, such as localhost:7233" in text
    text = await refused(client_entry(tmp_path / "app", address="no-such-host.invalid:7233"))
    assert "the host name is unknown\n" in text and "check the address" in text


async def test_not_a_temporal_frontend(tmp_path: Path) -> None:
    async with EmbeddedServer.start(ui=True) as server:
        assert server.ui_url is not None
        text = await refused(client_entry(tmp_path / "app", address=server.ui_url.removeprefix("http://")))
    assert "what answers there is not" in text


async def test_tls(tmp_path: Path, server: EmbeddedServer, authority: Authority) -> None:
    async with tls_proxy(server.address, authority.issue("127.0.0.1")) as address:
        tls = {"enabled": True, "ca_file": str(authority.ca_file)}
        client = await connect(client_entry(tmp_path / "app", address=address, tls=tls))
        await client.start_workflow("any", id="w", task_queue="none")


async def test_tls_with_another_name(tmp_path: Path, server: EmbeddedServer, authority: Authority) -> None:
    async with tls_proxy(server.address, authority.issue("temporal.example")) as address:
        tls = {"enabled": True, "ca_file": str(authority.ca_file)}
        text = await refused(client_entry(tmp_path / "app", address=address, tls=tls))
        assert "the server's certificate is for another name" in text and "as tls.server_name" in text
        tls["server_name"] = "temporal.example"
        await connect(client_entry(tmp_path / "app", address=address, tls=tls))


async def test_tls_by_an_unknown_authority(tmp_path: Path, server: EmbeddedServer, authority: Authority) -> None:
    async with tls_proxy(server.address, authority.issue("127.0.0.1")) as address:
        text = await refused(client_entry(tmp_path / "app", address=address, tls={"enabled": True}))
        assert "signed by an authority that is not trusted" in text
        assert "give that authority's certificate as tls.ca_file" in text
        entry = client_entry(tmp_path / "app", address=address, tls={"enabled": True, "insecure_skip_verify": True})
        assert "insecure_skip_verify has no effect here: give that" in await refused(entry)


async def test_tls_where_there_is_none_and_none_where_there_is(
    tmp_path: Path, server: EmbeddedServer, authority: Authority
) -> None:
    text = await refused(client_entry(tmp_path / "app", address=server.address, tls={"enabled": True}))
    assert "the server does not speak TLS\n    tried: TLS, auth none" in text
    async with tls_proxy(server.address, authority.issue("127.0.0.1")) as address:
        text = await refused(client_entry(tmp_path / "app", address=address))
        assert "what answers there is not plain gRPC" in text and "set tls.enabled: true" in text


def mtls(address: str, ca_file: Path, certificate: Path, key: Path) -> dict[str, Any]:
    auth = {"type": "mtls", "cert_file": str(certificate), "key_file": str(key)}
    return {"address": address, "auth": auth, "tls": {"ca_file": str(ca_file)}}


async def test_mutual_tls(tmp_path: Path, server: EmbeddedServer, authority: Authority) -> None:
    certificate, key = authority.issue("worker")
    async with tls_proxy(server.address, authority.issue("127.0.0.1"), client_ca=authority.ca_file) as address:
        fields = mtls(address, authority.ca_file, certificate, key)
        await connect(client_entry(tmp_path / "app", **fields))
        fields["auth"] = {"type": "mtls", "cert_pem": certificate.read_text(), "key_pem": key.read_text()}
        await connect(client_entry(tmp_path / "app", **fields))


async def test_mutual_tls_refused(
    tmp_path: Path, server: EmbeddedServer, authority: Authority, other_authority: Authority
) -> None:
    stranger = other_authority.issue("worker")
    certificate, key = authority.issue("worker")
    async with tls_proxy(server.address, authority.issue("127.0.0.1"), client_ca=authority.ca_file) as address:

        async def tried(certificate: Path, key: Path) -> str:
            return await refused(client_entry(tmp_path / "app", **mtls(address, authority.ca_file, certificate, key)))

        text = await tried(*stranger)
        assert "the server broke off during TLS\n    tried: TLS, auth mtls" in text
        assert "want a client certificate" in text
        assert "the private key does not belong to the client certificate" in await tried(certificate, stranger[1])
        assert "holds no private key that can be read" in await tried(key, certificate)
        for text in (await tried(certificate, stranger[1]), await tried(key, certificate)):
            assert key.read_text().splitlines()[1] not in text


async def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.touch()
    entry = client_entry(tmp_path / "app", tls={"enabled": True, "ca_file": str(missing)})
    assert f"entry app:temporal: tls.ca_file: cannot read {missing}: No such file" in await refused(entry)
    entry = client_entry(tmp_path / "app", tls={"enabled": True, "ca_file": str(empty)})
    assert f"tls.ca_file: {empty} is not a PEM file" in await refused(entry)
    entry = client_entry(tmp_path / "app", auth={"type": "api_key", "api_key_file": str(empty)})
    assert f"auth.api_key_file: {empty} does not hold an API key" in await refused(entry)


async def test_an_api_key_goes_over_tls_and_nowhere_else(
    tmp_path: Path, server: EmbeddedServer, authority: Authority
) -> None:
    auth = {"type": "api_key", "api_key": KEY}
    async with tls_proxy(server.address, authority.issue("127.0.0.1"), api_key=KEY) as address:
        entry = client_entry(tmp_path / "app", address=address, auth=auth, tls={"ca_file": str(authority.ca_file)})
        assert (await connect(entry)).api_key == KEY
        assert KEY not in repr(client_target(entry))
        other = {"type": "api_key", "api_key": "another"}
        await refused(
            client_entry(tmp_path / "app", address=address, auth=other, tls={"ca_file": str(authority.ca_file)})
        )
    text = await refused(client_entry(tmp_path / "app", address=server.address, auth=auth))
    assert "tried: TLS, auth api_key" in text and KEY not in text


async def test_a_key_file_is_followed(
    tmp_path: Path,
    server: EmbeddedServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(fleet.worker.client, "KEY_CHECK_INTERVAL", timedelta(milliseconds=10))
    file = tmp_path / "key"
    file.write_text("first\n")
    async with tls_proxy(server.address, authority.issue("127.0.0.1")) as address:
        auth = {"type": "api_key", "api_key_file": str(file)}
        entry = client_entry(tmp_path / "app", address=address, auth=auth, tls={"ca_file": str(authority.ca_file)})
        client = await connect(entry)
        assert client.api_key == "first"
        watching = asyncio.create_task(watch(client, entry))
        file.write_text("")
        while "the API key is not renewed" not in caplog.text:
            await asyncio.sleep(0.01)
        assert client.api_key == "first", "an unreadable file does not take the key away"
        file.write_text("second\n")
        while client.api_key != "second":
            await asyncio.sleep(0.01)
        watching.cancel()
        assert "second" not in caplog.text


async def test_health_checks(tmp_path: Path) -> None:
    fields = {"health_check": {"enabled": True, "interval": "20ms"}}
    changes: asyncio.Queue[tuple[bool, str]] = asyncio.Queue()
    data_file = tmp_path / "temporal.db"
    async with EmbeddedServer.start(data_file=data_file) as server:
        entry = client_entry(tmp_path / "app", address=server.address, **fields)
        client = await connect(entry)
        watching = asyncio.create_task(watch(client, entry, on_health=lambda *change: changes.put_nowait(change)))
        os.kill(server.pid, signal.SIGKILL)
        healthy, reason = await changes.get()
        assert not healthy and reason
        await server.died()
    async with EmbeddedServer.start(data_file=data_file) as again:
        assert again.address == server.address
        assert await changes.get() == (True, "")
    watching.cancel()


async def test_nothing_to_watch(tmp_path: Path, server: EmbeddedServer) -> None:
    entry = client_entry(tmp_path / "app", address=server.address)
    await watch(await connect(entry), entry)


async def test_options_without_effect_are_named(tmp_path: Path) -> None:
    assert client_warnings(client_entry(tmp_path / "app")) == []
    [warning] = client_warnings(client_entry(tmp_path / "app", tls={"enabled": True, "insecure_skip_verify": True}))
    assert "entry app:temporal: tls.insecure_skip_verify has no effect: the SDK always verifies" in warning
    [warning] = client_warnings(client_entry(tmp_path / "app", tls={"server_name": "x", "ca_file": "/ca.pem"}))
    assert "tls.ca_file and tls.server_name without effect: TLS is off" in warning
