"""Drops workflow runs from a worker's cache when their Lua states hold more bytes than they may.

The SDK bounds its cache by the number of runs only. Its core drops a run on request, but the way there is private
(`fleet.lane.bridge`): where it is missing the number of runs stays the only bound.
"""

from __future__ import annotations

import logging

import temporalio
from temporalio.worker import Worker

from fleet.lane import eviction
from fleet.workflow import LuaWorkflowRunner

log = logging.getLogger(__name__)

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
        runner.evict = eviction(worker)
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
