"""What the supervisor counts about its fleet. docs/metrics.md explains each family to those who read graphs."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version

from .families import Counter, Gauge, Histogram
from .store import Store

STORE = Store()
"""The numbers of the supervisor; ``STORE.attach(directory, SLOT)`` before the first fork."""

SLOT = "supervisor"

SLOTS = Gauge(STORE, "fleet_slots", "Worker slots by state: empty, starting, ready, draining.", ["state"])
RESTARTS = Counter(
    STORE,
    "fleet_worker_restarts",
    "Worker processes that were replaced, by the reason.",
    ["reason"],
)
RELOADS = Counter(STORE, "fleet_reloads", "Reloads of the application by their result.", ["result"])
DRAIN_SECONDS = Histogram(
    STORE,
    "fleet_worker_drain_seconds",
    "Time from telling a worker to end to its end.",
    bounds=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0),
)
QUARANTINED = Gauge(
    STORE, "fleet_quarantined_runs", "Workflow runs that are not run any more because they took workers down."
)
CACHED_RUNS = Gauge(STORE, "fleet_workflow_cached_runs", "Workflow runs whose Lua state a worker has cached.", ["slot"])
LUA_MEMORY = Gauge(
    STORE, "fleet_workflow_lua_memory_bytes", "Memory of the Lua states of the cached workflow runs.", ["slot"]
)
IN_FLIGHT = Gauge(
    STORE, "fleet_worker_tasks_in_flight", "Activations and activities that a worker has in hand.", ["slot"]
)
BEAT_AGE = Gauge(
    STORE, "fleet_worker_beat_age_seconds", "Time since a worker's event loop last turned, as it says.", ["slot"]
)

_QUEUE = ["task_queue", "kind"]
PERMITS = Gauge(STORE, "fleet_task_queue_permits", "Tasks that the whole fleet may have in hand at once.", _QUEUE)
SLOTS_USED = Gauge(STORE, "fleet_task_queue_tasks_in_hand", "Tasks that the whole fleet has in hand.", _QUEUE)
SCALINGS = Counter(
    STORE,
    "fleet_scaling_decisions",
    "Changes of permits by the autoscaler, by direction (up, down) and reason.",
    [*_QUEUE, "direction", "reason"],
)
POLLERS_MISSING = Gauge(
    STORE, "fleet_task_queue_pollers_missing", "1 while nobody polls although there are free permits, else 0.", _QUEUE
)
BACKLOG = Gauge(
    STORE, "fleet_task_queue_backlog_tasks", "Tasks that wait for a worker, as the server estimates.", _QUEUE
)
BACKLOG_AGE = Gauge(STORE, "fleet_task_queue_backlog_age_seconds", "Age of the oldest task that waits.", _QUEUE)
ADD_RATE = Gauge(
    STORE, "fleet_task_queue_added_tasks_per_second", "Tasks added to the queue, as the server says.", _QUEUE
)
DISPATCH_RATE = Gauge(
    STORE, "fleet_task_queue_dispatched_tasks_per_second", "Tasks handed to workers, as the server says.", _QUEUE
)
POLLERS = Gauge(STORE, "fleet_task_queue_pollers", "Pollers of the queue that the server has seen lately.", _QUEUE)

BUILD_INFO = Gauge(
    STORE, "fleet_build_info", "1, with the versions that run as labels.", ["version", "python", "temporalio"]
)
START_TIME = Gauge(STORE, "fleet_start_time_seconds", "Unix time at which the supervisor started.")


def started() -> None:
    """Set what stays the same as long as the supervisor lives, after ``STORE.attach``."""
    START_TIME.labels().set(time.time())
    BUILD_INFO.labels(version("lua-fleet"), platform.python_version(), version("temporalio")).set(1)
