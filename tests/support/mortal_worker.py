"""A worker that is killed after each workflow task: ``mortal_worker.py APP ADDRESS``. Ends when its input ends.

Each life serves one workflow task of whatever run comes and dies by SIGKILL once the server has the completion; the
next life is a fork of this process, which imports everything and never connects.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    PollerBehaviorSimpleMaximum,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

import fleet
from fleet.lane.bridge import WorkflowCore
from fleet.registry import App
from fleet.worker.client import connect
from fleet.worker.serve import serve
from fleet.workflow.envelope import EVICTION, LOCAL_ACTIVITY, activation_head, completion_head

LAST_WORDS = 0.2
"""Seconds after a task by which its worker is dead; one that lives on had nothing to run, and may have another task."""


class OneTask(CustomSlotSupplier):
    """Lets a worker poll until it has one task. A second one would die with it, and wait for its timeout."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()
        self.loop = asyncio.get_running_loop()

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        await self.free.wait()
        self.free.clear()
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        return None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        pass

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        self.loop.call_soon_threadsafe(self.loop.call_later, LAST_WORDS, self.free.set)


def overrides() -> dict[str, Any]:
    local = FixedSizeSlotSupplier(10)
    return {
        "graceful_shutdown_timeout": timedelta(0),
        "max_cached_workflows": 0,
        "max_concurrent_workflow_tasks": None,
        "max_concurrent_activities": None,
        "max_concurrent_local_activities": None,
        "workflow_task_poller_behavior": PollerBehaviorSimpleMaximum(1),
        "tuner": WorkerTuner.create_composite(
            workflow_supplier=OneTask(),
            activity_supplier=local,
            local_activity_supplier=local,
            nexus_supplier=local,
        ),
    }


def die_after_one_task() -> None:
    listen, complete = WorkflowCore.listen, WorkflowCore.complete
    tasks: set[str] = set()

    def noted_listen(
        self: WorkflowCore, activated: Callable[[bytes], None], ended: Callable[[Exception], None]
    ) -> None:
        def noted(activation: bytes) -> None:
            run_id, is_replaying, jobs = activation_head(activation)
            # What is replayed first is the same workflow task.
            if not is_replaying and jobs != EVICTION:
                tasks.add(run_id)
            activated(activation)

        listen(self, noted, ended)

    def last_completion(
        self: WorkflowCore, run_id: str, completion: bytes, arrived: Callable[[], None] | None, *, poll: bool
    ) -> None:
        # A task with local activities goes on here until they have ended.
        _, commands = completion_head(completion)
        is_last = run_id in tasks and not commands & LOCAL_ACTIVITY
        complete(self, run_id, completion, die if is_last else arrived, poll=poll)

    WorkflowCore.listen = noted_listen  # type: ignore[method-assign]
    WorkflowCore.complete = last_completion  # type: ignore[method-assign]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def live(app: App, address: str) -> None:
    async with serve(app, lambda entry: connect(entry, address=address, plaintext=True), overrides=overrides()):
        await asyncio.Event().wait()


def main() -> None:
    app, address = fleet.load_app(sys.argv[1]), sys.argv[2]
    prctl = ctypes.CDLL(None).prctl
    print("ready", flush=True)
    while True:
        child = os.fork()
        if child == 0:
            prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            die_after_one_task()
            asyncio.run(live(app, address))
            os._exit(1)
        descriptor = os.pidfd_open(child)
        ready, _, _ = select.select([descriptor, sys.stdin], [], [])
        if sys.stdin in ready:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(descriptor)
        if sys.stdin in ready:
            return
        if not os.WIFSIGNALED(status):
            sys.exit("a worker ended by itself")


main()
