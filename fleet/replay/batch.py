"""Many histories, spread over processes. One process replays one history at a time."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import ctypes
import gc
import logging
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.runtime import Runtime, TelemetryConfig

from fleet.registry import App, load_app

from .histories import HistoryError, read_history
from .session import ReplayReport, ReplaySession

PARALLEL_FROM = 32
"""Histories from which on further processes pay: each takes about as long to start as thirty replays."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Job:
    """A history to replay: `name` for people, and either the file it is in or the history itself."""

    name: str
    path: Path | None = None
    history: WorkflowHistory | None = None


async def replay_all(
    app: App, jobs: Sequence[Job], *, namespace: str | None = None, repeat: int = 1, processes: int = 0
) -> AsyncIterator[tuple[Job, ReplayReport]]:
    """Replay all jobs; the reports come in the order of the jobs.

    namespace: where the runs lived; None takes it from the client entries. processes: 0 chooses by their number.
    """
    cpus = len(os.sched_getaffinity(0))
    processes = processes or (cpus if len(jobs) >= PARALLEL_FROM else 1)
    if processes == 1:
        async with ReplaySession.open(app, namespace=namespace) as session:
            for job in jobs:
                yield job, await _replay(session, job, repeat)
        return
    pool = concurrent.futures.ProcessPoolExecutor(
        min(processes, len(jobs)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_child,
        initargs=(str(app.root), namespace, os.getpid()),
    )
    try:
        loop = asyncio.get_running_loop()
        pending = [loop.run_in_executor(pool, _in_child, _encoded(job), repeat) for job in jobs]
        for job, report in zip(jobs, pending, strict=True):
            yield job, await report
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        # Our process ends without the interpreter's own tidying, so its semaphores are given back here.
        del pool
        gc.collect()


async def _replay(session: ReplaySession, job: Job, repeat: int) -> ReplayReport:
    try:
        history = job.history or read_history(job.path or Path(job.name))
    except HistoryError as error:
        return ReplayReport("", "", "", "error", str(error))
    return await session.replay(history, repeat=repeat)


# ---- the other processes

_Encoded = tuple[str, str | None, str, bytes]


def _encoded(job: Job) -> _Encoded:
    path = str(job.path) if job.path is not None else None
    if job.history is None:
        return job.name, path, "", b""
    return job.name, path, job.history.workflow_id, History(events=job.history.events).SerializeToString()


def _decoded(job: _Encoded) -> Job:
    name, path, workflow_id, data = job
    history = WorkflowHistory(workflow_id, list(History.FromString(data).events)) if data else None
    return Job(name, Path(path) if path is not None else None, history)


class _Child:
    """The session of a child process, and what keeps it open: nothing may collect it."""

    loop: asyncio.AbstractEventLoop
    opened: AsyncExitStack
    session: ReplaySession


def _start_child(root: str, namespace: str | None, parent: int) -> None:
    # Ends with its parent, however that ends; the terminal's Ctrl-C is for the parent.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The ordinary end of a process with a Temporal runtime crashes now and then; there is nothing left to flush.
    atexit.register(os._exit, 0)
    logging.disable(logging.CRITICAL)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)), error_if_already_set=False)
    _Child.loop = uvloop.new_event_loop()
    asyncio.set_event_loop(_Child.loop)
    _Child.opened = AsyncExitStack()
    _Child.session = _Child.loop.run_until_complete(
        _Child.opened.enter_async_context(ReplaySession.open(load_app(root), namespace=namespace))
    )


def _in_child(job: _Encoded, repeat: int) -> ReplayReport:
    return _Child.loop.run_until_complete(_replay(_Child.session, _decoded(job), repeat))
