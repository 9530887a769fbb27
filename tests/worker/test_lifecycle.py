"""Services: order, failures, restarts (registry.md, section 6)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet.registry import App, load_app
from fleet.registry.kinds.entry import RestartPolicy
from fleet.worker.lifecycle import ServiceFailed, StartError, Supervisor, restart_delay


class Fake:
    """A service that does what the test says, and writes down what was asked of it."""

    def __init__(self, id: str, log: list[str], start: Callable[[int], Any] = lambda attempt: None) -> None:
        self.id = id
        self.log = log
        self.attempts = 0
        self.on_start = start
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        self.attempts += 1
        self.log.append(f"+{self.id[4:]}")
        self.ended = asyncio.get_running_loop().create_future()
        found = self.on_start(self.attempts)
        if isinstance(found, Exception):
            raise found
        if found is not None:
            await found

    async def stop(self) -> None:
        self.log.append(f"-{self.id[4:]}")

    async def failed(self) -> None:
        await self.ended


def app_of(root: Path, **lifecycles: str) -> App:
    lines = [f"  - {{name: {name}, kind: process.host, lifecycle: {{{text}}}}}\n" for name, text in lifecycles.items()]
    (root / "_index.yaml").write_text('version: "1.0"\nnamespace: app\nentries:\n' + "".join(lines))
    return load_app(root)


def supervisor(app: App, *services: Fake) -> tuple[Supervisor, list[ServiceFailed]]:
    given_up: list[ServiceFailed] = []
    return Supervisor(app, services, given_up.append), given_up


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def test_what_is_required_starts_first_and_stops_last(tmp_path: Path) -> None:
    app = app_of(
        tmp_path,
        a="auto_start: true, requires: [b], depends_on: [c]",
        b="requires: [between]",
        between="requires: [d]",
        c="",
        d="",
        e="auto_start: true",
        off="requires: [a]",
    )
    log: list[str] = []
    running, _ = supervisor(app, *(Fake(f"app:{name}", log) for name in ("off", "a", "e", "d", "c", "b")))
    await running.start()
    assert log == ["+d", "+b", "+c", "+a", "+e"]
    assert running.warnings == ["_index.yaml:10: app:off is not started: its lifecycle.auto_start is not true"]
    await running.stop()
    assert log[5:] == ["-e", "-a", "-c", "-b", "-d"]


async def test_a_required_service_that_does_not_start_ends_the_start(tmp_path: Path) -> None:
    app = app_of(tmp_path, a="auto_start: true", b="auto_start: true, requires: [a]", c="auto_start: true")
    log: list[str] = []
    services = Fake("app:a", log), Fake("app:b", log, lambda _: OSError("no room")), Fake("app:c", log)
    running, _ = supervisor(app, *services)
    with pytest.raises(StartError, match=r"^_index.yaml:5: app:b does not start: no room$"):
        await running.start()
    assert log == ["+a", "+b", "-b", "-a"]


async def test_a_start_takes_no_longer_than_its_limit(tmp_path: Path) -> None:
    app = app_of(tmp_path, a="auto_start: true, start_timeout: 10ms")
    running, _ = supervisor(app, Fake("app:a", [], lambda _: asyncio.Event().wait()))
    with pytest.raises(StartError, match=r"it was not ready after 0.01 s \(lifecycle.start_timeout\)"):
        await running.start()


async def test_an_optional_service_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = app_of(tmp_path, a="auto_start: true, startup: optional, restart: {initial_delay: 1ms}", b="auto_start: true")
    log: list[str] = []
    first = Fake("app:a", log, lambda attempt: OSError("not yet") if attempt < 3 else None)
    running, _ = supervisor(app, first, Fake("app:b", log))
    await running.start()
    await until(lambda: first.attempts == 3)
    await running.stop()
    assert [word for word in log if word != "+b"] == ["+a", "-a", "+a", "-a", "+a", "-b", "-a"]
    assert "app:a does not start, the others go on: not yet" in caplog.text


async def test_a_service_that_fails_is_started_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = app_of(tmp_path, a="auto_start: true, restart: {initial_delay: 1ms, max_attempts: 2}")
    log: list[str] = []
    service = Fake("app:a", log)
    running, given_up = supervisor(app, service)
    await running.start()
    for attempt in (1, 2, 3):
        await until(lambda attempt=attempt: service.attempts == attempt)
        service.ended.set_exception(RuntimeError(f"broke {attempt}"))
    await until(lambda: given_up)
    assert str(given_up[0]) == "app:a failed and is not started again after 2 attempts: broke 3"
    assert log == ["+a", "-a", "+a", "-a", "+a", "-a"]
    assert "app:a failed, next start in 0.0 s: broke 1" in caplog.text
    await running.stop()


async def test_what_ran_long_enough_has_all_attempts_again(tmp_path: Path) -> None:
    app = app_of(tmp_path, a="auto_start: true, stable_threshold: 0s, restart: {initial_delay: 1ms, max_attempts: 1}")
    service = Fake("app:a", [])
    running, given_up = supervisor(app, service)
    await running.start()
    for attempt in range(1, 5):
        await until(lambda attempt=attempt: service.attempts == attempt)
        service.ended.set_exception(RuntimeError("broke"))
    await until(lambda: service.attempts == 5)
    assert not given_up
    await running.stop()


async def test_one_that_has_ended_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app = app_of(tmp_path, a="auto_start: true")
    service = Fake("app:a", [])
    running, _ = supervisor(app, service)
    await running.start()
    service.ended.set_result(None)
    await until(lambda: "app:a has ended" in caplog.text)
    assert service.attempts == 1
    await running.stop()


async def test_one_that_does_not_stop_is_left_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Fake):
        async def stop(self) -> None:
            await asyncio.Event().wait()

    class Broken(Fake):
        async def stop(self) -> None:
            raise OSError("no")

    app = app_of(tmp_path, a="auto_start: true", b="auto_start: true, stop_timeout: 10ms", c="auto_start: true")
    log: list[str] = []
    running, _ = supervisor(app, Fake("app:a", log), Stuck("app:b", log), Broken("app:c", log))
    await running.start()
    await running.stop()
    assert log[-1] == "-a"
    assert "app:b had not stopped after 0.01 s (lifecycle.stop_timeout)" in caplog.text
    assert "app:c does not stop as it should" in caplog.text


def test_delays_grow_up_to_their_maximum() -> None:
    second = timedelta(seconds=1)
    exact = RestartPolicy(initial_delay=second, max_delay=10 * second, backoff_factor=3.0, jitter=0.0)
    assert [restart_delay(exact, n) for n in (1, 2, 3, 4, 100_000)] == [1, 3, 9, 10, 10]
    loose = RestartPolicy(initial_delay=second, jitter=0.5)
    delays = [restart_delay(loose, 1) for _ in range(200)]
    assert min(delays) >= 0.5 and max(delays) <= 1.5 and len(set(delays)) > 1
