"""However we end, no server is left behind; however we live, it stays up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from server_processes import SERVE, alive, gone, run_script

from fleet.server import EmbeddedServer, ServerError
from fleet.server.process import ServerProcess

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(3600)"
)


Start = Callable[..., tuple[int, int, int]]


@pytest.fixture
def start_script() -> Iterator[Start]:
    """Start a script that runs a server; gives the process ids of the script, of the server, and of its guard."""
    scripts: list[subprocess.Popen[str]] = []

    def start(*arguments: object, then: str = "pass", **environment: str) -> tuple[int, int, int]:
        script = run_script(SERVE.format(then=then), *arguments, **environment)
        scripts.append(script)
        assert script.stdout is not None
        server, guard, _ = script.stdout.readline().split()
        return script.pid, int(server), int(guard)

    yield start
    for script in scripts:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(script.pid, signal.SIGKILL)
        script.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGHUP])
def test_it_dies_with_us(start_script: Start, tmp_path: Path, number: signal.Signals) -> None:
    script, server, guard = start_script(tmp_path / "temporal.db")
    os.kill(script, number)
    assert gone(script, server, guard)


def test_it_dies_with_us_though_a_child_of_ours_lives_on(start_script: Start, tmp_path: Path) -> None:
    # A fork inherits our end of the guard's stdin, so that end of file alone would not do.
    told = tmp_path / "child"
    fork = (
        f"import os, time; child = os.fork(); open({str(told)!r}, 'w').write(str(child)) if child else time.sleep(3600)"
    )
    script, server, guard = start_script(then=fork)
    while not (told.exists() and told.read_text()):
        time.sleep(0.01)
    os.kill(script, signal.SIGKILL)
    assert gone(script, server, guard)
    assert alive(int(told.read_text()))


def test_it_dies_with_its_guard(start_script: Start) -> None:
    _, server, guard = start_script()
    os.kill(guard, signal.SIGKILL)
    assert gone(server)


def test_a_guard_told_to_go_takes_it_along(start_script: Start) -> None:
    _, server, guard = start_script()
    os.kill(guard, signal.SIGTERM)
    assert gone(server)


def test_control_c_leaves_nothing_behind(start_script: Start, tmp_path: Path) -> None:
    script, server, guard = start_script(TMPDIR=str(tmp_path))
    # The terminal sends it to the whole group; the server is not in it and ends in our order, not in the kernel's.
    assert os.getpgid(server) != os.getpgid(script)
    os.killpg(script, signal.SIGINT)
    assert gone(script, server, guard)
    assert list(tmp_path.iterdir()) == []


def test_the_lock_ends_with_the_server(start_script: Start, tmp_path: Path) -> None:
    data_file = tmp_path / "temporal.db"
    script, server, guard = start_script(data_file)
    os.kill(script, signal.SIGKILL)
    assert gone(server, guard)

    async def again() -> None:
        async with EmbeddedServer.start(data_file=data_file):
            pass

    asyncio.run(again())


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    kept: list[ServerProcess] = []

    async def start() -> None:
        kept.append(await ServerProcess.spawn([sys.executable, "-c", STUBBORN], log=log, lock_fd=-1, grace=0))

    with open(tmp_path / "log", "w+b") as log:
        thread = threading.Thread(target=asyncio.run, args=(start(),))
        thread.start()
        thread.join()
        [process] = kept
        assert alive(process.pid) and alive(process._guard.pid)
        process._guard.communicate()
        assert gone(process.pid)


@pytest.mark.asyncio
async def test_a_server_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w+b") as log:
        process = await ServerProcess.spawn([sys.executable, "-c", STUBBORN], log=log, lock_fd=-1, grace=0.1)
        while "up" not in process.tail():
            await asyncio.sleep(0.01)
        await process.stop()
        assert gone(process.pid)
        await process.stop()


@pytest.mark.asyncio
async def test_a_cancelled_stop_kills_at_once(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w+b") as log:
        process = await ServerProcess.spawn([sys.executable, "-c", STUBBORN], log=log, lock_fd=-1, grace=3600)
        while "up" not in process.tail():
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(process.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert gone(process.pid)


@pytest.mark.asyncio
async def test_we_hear_of_its_death() -> None:
    async with EmbeddedServer.start() as server:
        death = asyncio.create_task(server.died())
        os.kill(server.pid, signal.SIGKILL)
        error = await death
        assert isinstance(error, ServerError)
        assert "ended: killed by signal 9" in str(error)
    async with EmbeddedServer.start() as server:
        death = asyncio.create_task(server.died())
    assert await death is None


@pytest.mark.asyncio
async def test_it_stops_when_the_block_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        async with EmbeddedServer.start() as server:
            raise ZeroDivisionError
    assert gone(server.pid)
