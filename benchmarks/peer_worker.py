"""A worker process of a contender of bench_end_to_end.py. Usage: peer_worker.py CONTENDER ADDRESS CPU

Prints "ready" when it polls, and ends at SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from history import TASK_QUEUE
from idle_runner import IdleRunner, IdleSteps
from sdk_workflow import Sequence
from temporalio import activity
from temporalio.bridge.proto import ActivityTaskCompletion
from temporalio.bridge.proto.activity_task import ActivityTask
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.client import Client
from temporalio.service import GrpcCompression
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from fleet.cli.exit import leave

BARE = {"bare bridge": GrpcCompression.GZIP, "bare bridge, uncompressed": GrpcCompression.NONE}
"""The SDK compresses what it sends, unless told not to; fleet does not without TLS."""

ACTIVITIES = 1
"""Of each workflow."""

RUNNERS: dict[str, Callable[[], WorkflowRunner]] = {
    "Python SDK, sandboxed": SandboxedWorkflowRunner,
    "Python SDK, unsandboxed": UnsandboxedWorkflowRunner,
    "do-nothing runner": lambda: IdleRunner(ACTIVITIES),
    **dict.fromkeys(BARE, UnsandboxedWorkflowRunner),
}


@activity.defn(name="bench:echo")
async def echo(value: Any) -> Any:
    """As app/echo.lua."""
    return value


async def bare(worker: Worker) -> None:
    """Serve with the core worker of `worker`, which has the options of the SDK's own contenders and is never run."""
    ref: Any = worker._bridge_worker._ref
    answering: set[asyncio.Future[None]] = set()

    def answer(future: asyncio.Future[None]) -> None:
        answering.add(future)
        future.add_done_callback(answering.discard)

    async def workflows() -> None:
        steps: dict[str, IdleSteps] = {}
        while True:
            activation = WorkflowActivation.FromString(await ref.poll_workflow_activation())
            run = steps.setdefault(activation.run_id, IdleSteps(ACTIVITIES))
            if activation.jobs[0].HasField("remove_from_cache"):
                del steps[activation.run_id]
            answer(ref.complete_workflow_activation(run.answer(activation).SerializeToString()))

    async def activities() -> None:
        while True:
            task = ActivityTask.FromString(await ref.poll_activity_task())
            completion = ActivityTaskCompletion(task_token=task.task_token)
            completion.result.completed.result.CopyFrom(task.start.input[0])
            answer(ref.complete_activity_task(completion.SerializeToString()))

    await ref.validate()
    await asyncio.gather(workflows(), activities())


async def main(contender: str, address: str) -> None:
    """Serve until SIGTERM."""
    client = await Client.connect(address, grpc_compression=BARE.get(contender, GrpcCompression.GZIP))
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Sequence],
        activities=[echo],
        workflow_runner=RUNNERS[contender](),
    )
    serve: Callable[[], Awaitable[None]] = (lambda: bare(worker)) if contender in BARE else worker.run
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    serving = asyncio.ensure_future(serve())
    print("ready", flush=True)
    stop = asyncio.ensure_future(told.wait())
    await asyncio.wait((serving, stop), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    if contender not in BARE:
        await worker.shutdown()


if __name__ == "__main__":
    contender, address, cpu = sys.argv[1:]
    os.sched_setaffinity(0, {int(cpu)})
    (uvloop.run if contender in BARE else asyncio.run)(main(contender, address))
    leave(0)
