"""The task queues of an application that are scaled, and within what bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleet.registry import App

from .page import MAX_QUEUES, Kind
from .scaling import Bounds
from .scaling_stats import TaskQueue
from .settings import SettingsError

LEAST = {Kind.WORKFLOW: 2, Kind.ACTIVITY: 2}
"""Permits of a worker below which it does not go. Workflow tasks come from two queues, of which each needs a poll;
activities come by a poll or, sooner and for less, with the answer to the workflow task that asked for them."""


@dataclass(frozen=True)
class ScaledQueue:
    """One kind of tasks of a temporal.worker entry.

    Attributes:
        key: entry and kind.
        number: of the entry in the page.
        task_queue: its name on the server.
        most: permits of one worker by the options of the entry.
    """

    key: TaskQueue
    number: int
    task_queue: str
    most: int

    def bounds(self, workers: int, limit: Bounds | None) -> Bounds:
        """What the queue may have with so many workers."""
        bounds = Bounds(LEAST[self.key.kind] * workers, self.most * workers)
        if limit is None:
            return bounds
        maximum = min(limit.maximum, bounds.maximum)
        return Bounds(min(max(limit.minimum, min(bounds.minimum, maximum)), maximum), maximum)


def scaled_queues(app: App) -> list[ScaledQueue]:
    """The queues that workers of `app` poll, in the order of the page; what is beyond its room keeps fixed sizes."""
    queues = []
    for number, id in enumerate(sorted(app.workers)[:MAX_QUEUES]):
        entry = app.workers[id]
        options = entry.worker_options
        if app.workflows_of(id) and not options.disable_workflow_worker:
            most = options.max_concurrent_workflow_task_execution_size
            queues.append(ScaledQueue(TaskQueue(id, Kind.WORKFLOW), number, entry.task_queue, most))
        if app.activities_of(id) and not options.local_activity_worker_only:
            most = options.max_concurrent_activity_execution_size
            queues.append(ScaledQueue(TaskQueue(id, Kind.ACTIVITY), number, entry.task_queue, most))
    return queues


def limits_of(limits: Iterable[tuple[str, int, int]], queues: list[ScaledQueue]) -> dict[TaskQueue, Bounds]:
    """The limits that people set, by queue.

    limits: ``ENTRY/KIND``, least and most of each. Raises SettingsError when one names no queue of the application.
    """
    known = {f"{queue.key.worker}/{queue.key.kind.name.lower()}": queue.key for queue in queues}
    unknown = sorted({name for name, _, _ in limits} - set(known))
    if unknown:
        raise SettingsError(
            f"scaling_limits: {', '.join(unknown)} is not a queue that the application polls\n"
            f"    there are: {', '.join(known) or 'none'}"
        )
    return {known[name]: Bounds(least, most) for name, least, most in limits}
