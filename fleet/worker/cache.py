"""Drops workflow runs from a worker's cache when their Lua states hold more bytes than they may.

The SDK bounds its cache by the number of runs only. Its core drops a run on request, but the way there is private: all
that knows it is in this module, and where it is missing the number of runs stays the only bound.
"""

from __future__ import annotations

import asyncio
import logging

import temporalio
from temporalio.worker import Worker

from fleet.workflow import Evict, LuaWorkflowRunner

log = logging.getLogger(__name__)

_NO_RUN = "00000000-0000-0000-0000-000000000000"

_warned = False


def bound_by_bytes(worker: Worker, runner: LuaWorkflowRunner) -> None:
    """Let the runner's residents drop runs of `worker`, which runs on it. On the worker's event loop,
    before it runs.

    Without a budget nothing is to be dropped. If the installed SDK offers no way, one warning of the process says so.
    """
    global _warned
    if not runner.residents.budget:
        return
    try:
        runner.evict = _way(worker)
    except Exception as error:
        if not _warned:
            _warned = True
            log.warning(
                "The workflow cache is not bounded by bytes, only by max_cached_workflows: temporalio %s cannot be"
                " asked to drop a run (%s: %s). Install a temporalio 1.x that lua-fleet was tested with, or lower"
                " max_cached_workflows.",
                temporalio.__version__,
                type(error).__name__,
                error,
            )


def _way(worker: Worker) -> Evict:
    """How to drop a run of `worker`. Raises what is missing."""
    if temporalio.__version__.split(".")[0] != "1":
        raise RuntimeError("this version is not known")
    bridge = worker._bridge_worker
    if bridge is None:
        raise RuntimeError("the worker has no core")
    # A request for a run that core does not know does nothing: what is wrong shows now, and not when memory is short.
    bridge.request_workflow_eviction(_NO_RUN)

    loop = asyncio.get_running_loop()

    def request(run_id: str) -> None:
        # The SDK takes its core away when the worker has ended, on this thread. Whatever was cached went with it.
        if bridge._ref is not None:
            bridge.request_workflow_eviction(run_id)

    def evict(run_id: str) -> None:
        loop.call_soon_threadsafe(request, run_id)

    return evict
