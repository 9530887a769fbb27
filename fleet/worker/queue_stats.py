"""Asks the Temporal server about the task queues, in a process of its own: the supervisor must not have a client."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue as ApiTaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from fleet.registry import App
from fleet.supervisor.page import Kind
from fleet.supervisor.scaling_stats import QueueStats, TaskQueue, encode_report

from .connect_error import ConnectError
from .serve import Connector

log = logging.getLogger(__name__)

INTERVAL = 2.0
"""Seconds between two questions about a queue."""

_RETRY = 5.0
_TYPES = {
    Kind.WORKFLOW: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    Kind.ACTIVITY: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


def report_queues(app: App, queues: Sequence[TaskQueue], connect: Connector, descriptor: int) -> int:
    """Write the reports of `queues` to a pipe until nobody reads them; 0 then. Called in a child of the supervisor.

    connect: makes the client of a temporal.client entry. A server that does not answer is waited for.
    """
    try:
        asyncio.run(_report(app, queues, connect, descriptor))
    except* BrokenPipeError:
        pass
    return 0


async def describe(client: Client, task_queue: str, kind: Kind) -> QueueStats:
    """What the server says of the tasks of one kind on one queue. Raises RPCError."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=ApiTaskQueue(name=task_queue),
            task_queue_type=_TYPES[kind],
            report_stats=True,
        )
    )
    stats = answer.stats
    age = stats.approximate_backlog_age
    return QueueStats(
        backlog=stats.approximate_backlog_count,
        age=age.seconds + age.nanos / 1e9,
        add_rate=stats.tasks_add_rate,
        dispatch_rate=stats.tasks_dispatch_rate,
        pollers=len(answer.pollers),
    )


async def _report(app: App, queues: Sequence[TaskQueue], connect: Connector, descriptor: int) -> None:
    clients = sorted({app.workers[queue.worker].client for queue in queues})
    of_client = {id: [queue for queue in queues if app.workers[queue.worker].client == id] for id in clients}
    async with asyncio.TaskGroup() as group:
        group.create_task(_until_nobody_reads(descriptor))
        group.create_task(_beat(descriptor))
        for id, mine in of_client.items():
            group.create_task(_report_of_client(app, id, mine, connect, descriptor))


async def _beat(descriptor: int) -> None:
    """Show that this process lives, whatever the server does: with lines that are empty."""
    while True:
        os.write(descriptor, b"\n")
        await asyncio.sleep(INTERVAL)


async def _report_of_client(
    app: App, id: str, queues: Sequence[TaskQueue], connect: Connector, descriptor: int
) -> None:
    silent = False
    client = None
    while True:
        delay = INTERVAL
        try:
            if client is None:
                client = await connect(app.clients[id])
            for queue in queues:
                stats = await describe(client, app.workers[queue.worker].task_queue, queue.kind)
                os.write(descriptor, encode_report(queue, stats))
        except (ConnectError, RPCError) as error:
            delay = _RETRY
            if not silent:
                log.warning("no task queue statistics, permits follow slot use alone: %s", error)
            silent = True
        else:
            if silent:
                log.info("task queue statistics are there again")
            silent = False
        await asyncio.sleep(delay)


async def _until_nobody_reads(descriptor: int) -> None:
    """Raises BrokenPipeError when the supervisor is gone, however long the server takes to answer."""
    gone = asyncio.Event()
    # An error is all that the writing end of a pipe can be told while it is not written to.
    asyncio.get_running_loop().add_reader(descriptor, gone.set)
    await gone.wait()
    raise BrokenPipeError
