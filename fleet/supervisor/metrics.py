"""The fleet's page of metrics: what the workers have counted, what the supervisor has, and how things are now."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fleet.metrics import control
from fleet.metrics.exposition import Exposition

STATES = ("waiting", "starting", "ready", "draining", "ending")

_REASONS = ("signal", "exit", "oom", "hung", "stuck", "drain", "reload", "age", "memory", "scale")
_RELOADS = {"reloaded": "done", "reload-refused": "refused", "reload-invalid": "invalid", "rolled-back": "rolled_back"}

_BY_SLOT = {
    "memory": ("fleet_worker_resident_memory_bytes", "Memory of a worker process, shared pages included."),
    "lua_bytes": ("fleet_workflow_lua_memory_bytes", "Memory of the Lua states of a worker's cached workflow runs."),
    "cached_runs": ("fleet_workflow_cached_runs", "Workflow runs whose Lua state a worker has cached."),
    "in_flight": ("fleet_worker_tasks_in_flight", "Activations and activities that a worker has in hand."),
    "beat_age": ("fleet_worker_beat_age_seconds", "Time since the event loop of a worker turned."),
}

_QUEUE = ("entry", "kind")
_BY_QUEUE = {
    "permits": ("fleet_task_queue_permits", "Tasks that the whole fleet may have in hand at once."),
    "held": ("fleet_task_queue_permits_held", "Permits in the hands of tasks and of polls that wait for one."),
    "wanting": ("fleet_task_queue_wanting", "1 while the queue needs more permits than it may have, else 0."),
    "unpolled": ("fleet_task_queue_unpolled", "1 while no worker polls although permits are free, else 0."),
}
_BY_SERVER = {
    "backlog": ("fleet_task_queue_backlog_tasks", "Tasks that wait for a worker, as the server estimates."),
    "age": ("fleet_task_queue_backlog_age_seconds", "How long the first of them has waited."),
    "add_rate": ("fleet_task_queue_added_tasks_per_second", "Tasks that come, over the last half minute."),
    "dispatch_rate": ("fleet_task_queue_dispatched_tasks_per_second", "Tasks given out, over the last half minute."),
    "pollers": ("fleet_task_queue_pollers", "Workers of all fleets that polled in the last minutes."),
}


class FleetMetrics:
    """Counts what the supervisor decides, and makes the page. One per supervisor, before its first fork."""

    def __init__(self, directory: Path, status: Callable[[], Mapping[str, Any]]) -> None:
        """
        Args:
            directory: of the slots' files (fleet.metrics.exposition.make_directory).
            status: the state of the fleet (status.py).
        """
        control.STORE.attach(directory, control.SLOT)
        # A series that begins with its first event hides that event from rate().
        for reason in _REASONS:
            control.RESTARTS.labels(reason)
        for result in _RELOADS.values():
            control.RELOADS.labels(result)
        self._exposition = Exposition(directory, [_Present(status)])

    def page(self) -> bytes:
        """The text of /metrics."""
        control.STORE.settle()
        return self._exposition.metrics()

    def noted(self, event: str, fields: Mapping[str, Any]) -> None:
        """A decision of the journal."""
        if event in ("died", "ended"):
            # Before the slot gets its next process, which begins the files anew.
            self._exposition.ended(str(fields["slot"]))
            control.RESTARTS.labels(fields["reason"]).add()
        if event == "ended":
            control.DRAIN_SECONDS.labels().observe(fields["took"])
        if event == "permits":
            direction = "up" if fields["after"] > fields["before"] else "down"
            control.SCALING_DECISIONS.labels(fields["entry"], fields["kind"], direction, str(fields["reason"])).add()
        if event in _RELOADS:
            control.RELOADS.labels(_RELOADS[event]).add()


class _Present(Collector):
    """How things are at the moment of a reading: nothing of a worker that is gone lingers."""

    def __init__(self, status: Callable[[], Mapping[str, Any]]) -> None:
        self._status = status
        self._began = time.time()

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        status = self._status()
        workers = status["workers"]
        yield _gauge("fleet_start_time_seconds", "Unix time at which the supervisor began.", (), {(): self._began})
        versions = (version("lua-fleet"), platform.python_version(), version("temporalio"))
        labels = ("version", "python", "temporalio")
        yield _gauge("fleet_build_info", "1, with the versions that run as labels.", labels, {versions: 1})
        counts = dict.fromkeys(STATES, 0)
        for worker in workers:
            counts[worker["state"]] += 1
        text = f"Worker slots by the state of their process: {', '.join(STATES)}."
        yield _gauge("fleet_slots", text, ("state",), {(state,): count for state, count in counts.items()})
        text = "Workflow runs whose tasks are failed without being run, because they took workers down."
        yield _gauge("fleet_quarantined_runs", text, (), {(): len(status["quarantine"])})
        for field, (name, text) in _BY_SLOT.items():
            yield _gauge(name, text, ("slot",), {(str(one["slot"]),): one[field] for one in workers if one["pid"]})
        lanes: dict[tuple[str, ...], float] = {
            (str(one["slot"]), one["lane"]): 1 for one in workers if one["pid"] and one["lane"]
        }
        text = "1, with how a worker runs workflows and activities: fast, public, or mixed where its entries differ."
        yield _gauge("fleet_worker_lane", text, ("slot", "lane"), lanes)
        in_hand: dict[tuple[str, ...], float] = {}
        for queue in (queue for worker in workers for queue in worker["queues"]):
            for kind in ("workflow", "activity"):
                key = (queue["worker"], kind)
                in_hand[key] = in_hand.get(key, 0) + queue[kind]["used"]
        yield _gauge("fleet_task_queue_tasks_in_hand", "Tasks that the whole fleet has in hand.", _QUEUE, in_hand)
        queues = {(queue["worker"], queue["kind"]): queue for queue in status["task_queues"]}
        for field, (name, text) in _BY_QUEUE.items():
            yield _gauge(name, text, _QUEUE, {key: queue[field] for key, queue in queues.items()})
        told = {key: queue["stats"] for key, queue in queues.items() if queue["stats"] is not None}
        for field, (name, text) in _BY_SERVER.items():
            yield _gauge(name, text, _QUEUE, {key: stats[field] for key, stats in told.items()})


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
