"""Starts the services of an application in order, keeps them running, stops them (spec/registry.md, section 6).

A service is started when its ``lifecycle.auto_start`` is true, or when one that is started requires it. Clients and
workers of Temporal are there before all services and end after them; a ``process.host`` needs no start.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from fleet.registry import App
from fleet.registry.kinds.entry import Lifecycle, RestartPolicy, ServiceEntry

log = logging.getLogger(__name__)


class Service(Protocol):
    """What can be started: the running side of a service entry."""

    @property
    def id(self) -> str:
        """The entry's id."""
        ...

    async def start(self) -> None:
        """Returns when it serves; raises when it cannot. After a ``stop`` it can be started again."""
        ...

    async def stop(self) -> None:
        """Ends it, whatever state it is in."""
        ...

    async def failed(self) -> None:
        """Waits: raises when it fails by itself, returns when it has ended as it should."""
        ...


class StartError(Exception):
    """A required service does not start; the text names it, the reason and the place."""


class ServiceFailed(Exception):
    """A required service failed and the restart policy has no attempt left."""


class Supervisor:
    """The services of one application.

    Attributes:
        services: those that are to run, in the order of their start.
        warnings: services that are not started, one text each.
    """

    def __init__(self, app: App, services: Iterable[Service], given_up: Callable[[ServiceFailed], None]) -> None:
        """``given_up`` is told of a required service that failed for good."""
        known = {service.id: service for service in services}
        wanted = _in_order(app, [id for id in known if _lifecycle(app, id).auto_start])
        self.services = [known[id] for id in wanted if id in known]
        self.warnings = [
            f"{_place(app, id)}: {id} is not started: its lifecycle.auto_start is not true"
            for id in known
            if id not in wanted
        ]
        self._app = app
        self._given_up = given_up
        self._begun: list[Service] = []
        self._watches: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start all. When a required one does not start, stop the others and raise StartError.

        An optional one that does not start is tried again by its restart policy.
        """
        try:
            for service in self.services:
                self._begun.append(service)
                problem = await self._start(service)
                if problem is not None:
                    if _lifecycle(self._app, service.id).startup == "required":
                        raise StartError(f"{_place(self._app, service.id)}: {service.id} does not start: {problem}")
                    log.warning("%s does not start, the others go on: %s", service.id, problem)
                self._watches.append(asyncio.create_task(self._watch(service, problem), name=f"service {service.id}"))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop what was started, the last one first. What does not stop in time is left behind, with a warning."""
        for watch in self._watches:
            watch.cancel()
        if self._watches:
            await asyncio.wait(self._watches)
        self._watches.clear()
        while self._begun:
            await self._stop(self._begun.pop())

    async def _start(self, service: Service) -> str | None:
        """None, or why it does not start."""
        limit = _lifecycle(self._app, service.id).start_timeout.total_seconds()
        try:
            async with asyncio.timeout(limit) as patience:
                await service.start()
        except Exception as error:
            if isinstance(error, TimeoutError) and patience.expired():
                return f"it was not ready after {limit:g} s (lifecycle.start_timeout)"
            return str(error) or type(error).__name__
        return None

    async def _stop(self, service: Service) -> None:
        limit = _lifecycle(self._app, service.id).stop_timeout.total_seconds()
        try:
            async with asyncio.timeout(limit) as patience:
                await service.stop()
        except TimeoutError:
            if not patience.expired():
                raise
            log.warning("%s had not stopped after %g s (lifecycle.stop_timeout)", service.id, limit)
        except Exception:
            log.exception("%s does not stop as it should", service.id)

    async def _watch(self, service: Service, problem: str | None) -> None:
        """Start the service again whenever it fails; ``problem`` is why it does not run at first."""
        settings = _lifecycle(self._app, service.id)
        failures = 0
        while True:
            if problem is None:
                began = time.monotonic()
                problem = await self._failure(service)
                if problem is None:
                    log.info("%s has ended", service.id)
                    return
                if time.monotonic() - began >= settings.stable_threshold.total_seconds():
                    failures = 0
            failures += 1
            # What a failed start or run has left, such as a socket, would be in the way of the next.
            await self._stop(service)
            if settings.restart.max_attempts and failures > settings.restart.max_attempts:
                self._give_up(service, problem)
                return
            delay = restart_delay(settings.restart, failures)
            log.warning("%s failed, next start in %.1f s: %s", service.id, delay, problem)
            await asyncio.sleep(delay)
            problem = await self._start(service)
            if problem is None:
                log.warning("%s runs again", service.id)

    async def _failure(self, service: Service) -> str | None:
        try:
            await service.failed()
        except Exception as error:
            return str(error) or type(error).__name__
        return None

    def _give_up(self, service: Service, problem: str) -> None:
        settings = _lifecycle(self._app, service.id)
        text = f"{service.id} failed and is not started again after {settings.restart.max_attempts} attempts: {problem}"
        if settings.startup == "required":
            self._given_up(ServiceFailed(text))
        else:
            log.error("%s", text)


def restart_delay(policy: RestartPolicy, failures: int) -> float:
    """Seconds to wait before the start that follows the ``failures``-th failure in a row (1 is the first)."""
    longest = policy.max_delay.total_seconds()
    try:
        delay = min(policy.initial_delay.total_seconds() * policy.backoff_factor ** (failures - 1), longest)
    except OverflowError:
        delay = longest
    # Processes that failed together should not come back together.
    return max(delay * (1 + random.uniform(-policy.jitter, policy.jitter)), 0.0)


def _in_order(app: App, ids: Iterable[str]) -> list[str]:
    """The ids and all that they require, what is required first. The registry has refused circles."""
    order: dict[str, None] = {}

    def visit(id: str) -> Iterator[str]:
        entry = app.entries.get(id)
        if isinstance(entry, ServiceEntry):
            for below in entry.requires:
                if below not in order:
                    yield from visit(below)
        yield id

    for id in ids:
        order.update(dict.fromkeys(visit(id)))
    return list(order)


def _lifecycle(app: App, id: str) -> Lifecycle:
    entry = app.entries[id]
    assert isinstance(entry, ServiceEntry)
    return entry.lifecycle


def _place(app: App, id: str) -> str:
    return f"{app.entries[id].file}:{app.entries[id].line}"
