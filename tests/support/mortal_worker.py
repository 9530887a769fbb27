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
from datetime import timedelta
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.bridge.worker import Worker as BridgeWorker
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
from fleet.registry import App
from fleet.worker.client import connect
from fleet.worker.serve import serve

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
    poll, complete = BridgeWorker.poll_workflow_activation, BridgeWorker.complete_workflow_activation
    tasks: set[str] = set()

    async def noted_poll(self: BridgeWorker) -> WorkflowActivation:
        activation = await poll(self)
        # What is replayed first is the same workflow task.
        if not activation.is_replaying and any(not job.HasField("remove_from_cache") for job in activation.jobs):
            tasks.add(activation.run_id)
        return activation

    async def last_completion(self: BridgeWorker, completion: WorkflowActivationCompletion) -> None:
        await complete(self, completion)
        # A task with local activities goes on here until they have ended.
        waits = any(command.HasField("schedule_local_activity") for command in completion.successful.commands)
        if completion.run_id in tasks and not waits:
            os.kill(os.getpid(), signal.SIGKILL)

    BridgeWorker.poll_workflow_activation = noted_poll  # type: ignore[method-assign]
    BridgeWorker.complete_workflow_activation = last_completion  # type: ignore[method-assign]


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
