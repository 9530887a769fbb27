"""A worker process of a fleet: pinned to its CPU, it serves until it is told to end, and shows that it lives."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import math
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import uvloop

from fleet import _core
from fleet.supervisor.files import remove
from fleet.supervisor.job import WorkerJob
from fleet.supervisor.page import Lane, State
from fleet.workflow.residents import Residents

from .permits import WorkerPermits
from .serve import Connector, ServiceOptions, serve
from .telemetry import SdkMetrics, follow
from .version import deployment_of
from .version_watch import follow_versions
from .watch import Watch

log = logging.getLogger("fleet.worker")

BEAT = 1.0
"""Seconds between two beats."""

GRACE_SHARE = 0.85
"""The part of `worker_drain` that activities may take: the rest is for what they report to reach the server."""

_ALONE = 10.0
_LAST_RESORT = 2
"""Seconds after its deadline at which a worker that does not end is ended by the kernel, whoever may be alive."""


def work(job: WorkerJob, connect: Connector, sdk: SdkMetrics | None) -> int:
    """Serve until SIGTERM, or until the supervisor is gone; the exit code. Raises what `serve` and a worker raise.

    sdk: what the runtime of `connect`'s clients measures; None when nobody asks for metrics.
    """
    with suppress(OSError):
        # The CPU may have been taken from the mask since; any other one will do.
        if job.cpu is not None:
            os.sched_setaffinity(0, {job.cpu})
    # The terminal sends Ctrl-C to all; what it means is the supervisor's decision.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    _core.dump_lua_on_fatal(job.stacks)
    # It dumps the stacks of Python, and calls what was there before.
    faulthandler.enable(job.stacks, all_threads=True)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    # Left open: closing it waits for threads, and the process ends right after.
    return loop.run_until_complete(_work(job, connect, sdk))


async def _work(job: WorkerJob, connect: Connector, sdk: SdkMetrics | None) -> int:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        if told.is_set():
            return
        told.set()
        job.block.state = State.DRAINING
        # Its default action ends the process in the kernel, even when nothing of Python runs any more.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(math.ceil(job.settings.worker_drain) + _LAST_RESORT)

    loop.add_signal_handler(signal.SIGTERM, lambda: _leave() if told.is_set() else end())
    background = [loop.create_task(_beat(job, end), name="beat")]
    if sdk is not None:
        background.append(loop.create_task(follow(sdk, str(job.slot)), name="metrics"))
    ready = asyncio.Event()
    serving = loop.create_task(_serve(job, connect, told, ready), name="serve")
    stop = loop.create_task(told.wait(), name="told to end")
    await asyncio.wait([serving, stop], return_when=asyncio.FIRST_COMPLETED)
    if not serving.done() and not ready.is_set():
        # It may wait for a server that does not answer, and it has nothing in hand.
        serving.cancel()
    await asyncio.wait([serving])
    for task in background:
        task.cancel()
    await asyncio.wait(background)
    if os.getppid() != job.supervisor:
        log.warning("the supervisor is gone: its files are removed", extra={"fleet": {"pid": job.supervisor}})
        for path, device, inode in job.leftovers:
            remove(path, device, inode)
        if job.metrics is not None:
            shutil.rmtree(job.metrics, ignore_errors=True)
    if not serving.cancelled():
        serving.result()
    return 0


def _leave() -> None:
    """The second SIGTERM: what is in hand comes again, elsewhere."""
    os._exit(128 + signal.SIGTERM)


async def _serve(job: WorkerJob, connect: Connector, told: asyncio.Event, ready: asyncio.Event) -> None:
    services = ServiceOptions(reuse_port=True)
    grace = timedelta(seconds=job.settings.worker_drain * GRACE_SHARE)
    watch = Watch(job.block, job.quarantine)
    overrides: dict[str, Any] = {"max_cached_workflows": job.settings.max_cached_workflows}
    if deployment := deployment_of(os.environ, job.app.content_hash):
        overrides["deployment_config"] = deployment
    async with serve(
        job.app,
        connect,
        services=services,
        permits=WorkerPermits(job.block) if job.settings.scaling else None,
        overrides=overrides,
        cache_bytes=job.cache_bytes,
        watch=watch,
        longest_default_grace=grace,
        lane=job.settings.lane == "auto",
    ) as serving:
        for lane in serving.lanes.values():
            job.block.lane = Lane(job.block.lane | lane)
        # They are the same in all workers.
        if job.slot == 0:
            for warning in serving.warnings:
                log.warning("%s", warning)
            for id, lane in serving.lanes.items():
                log.info("entry %s runs on the %s lane", id, lane.name.lower())
        ready.set()
        if not told.is_set():
            job.block.state = State.READY
        counting = asyncio.create_task(_show_cache(job, serving.residents), name="cache")
        # One worker asks for all of them: they are the same.
        asked = serving.versions if job.slot == 0 else ()
        versions = asyncio.create_task(follow_versions(asked, job.block), name="versions")
        failed = asyncio.ensure_future(serving.failed())
        waits = [asyncio.ensure_future(told.wait()), failed]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                failed.result()
        finally:
            for task in (*waits, counting, versions):
                task.cancel()


async def _show_cache(job: WorkerJob, residents: Residents) -> None:
    while True:
        job.block.lua_bytes, job.block.cached_runs = residents.bytes, len(residents)
        await asyncio.sleep(BEAT)


async def _beat(job: WorkerJob, end: Callable[[], None]) -> None:
    """Show that the loop turns; find out that the supervisor is gone."""
    # A hung worker of a dead supervisor would stay for ever: this timer runs outside of Python until it is set again.
    alone = job.settings.hung_after + _ALONE
    while True:
        job.block.beat = time.monotonic_ns()
        faulthandler.dump_traceback_later(alone, exit=True, file=job.stacks)
        if os.getppid() != job.supervisor:
            end()
        await asyncio.sleep(BEAT)
