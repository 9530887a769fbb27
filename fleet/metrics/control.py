"""What the supervisor counts about its fleet. docs/metrics.md explains each family to those who read graphs."""

from __future__ import annotations

from .families import Counter, Histogram
from .store import Store

STORE = Store()
"""The numbers of the supervisor; ``STORE.attach(directory, SLOT)`` before the first fork."""

SLOT = "supervisor"

RESTARTS = Counter(
    STORE,
    "fleet_worker_restarts",
    "Worker processes that ended and were to be replaced, by the reason.",
    ["reason"],
)
RELOADS = Counter(
    STORE,
    "fleet_reloads",
    "Reloads of the application by their result: done, refused, invalid, rolled_back.",
    ["result"],
)
DRAIN_SECONDS = Histogram(
    STORE,
    "fleet_worker_drain_seconds",
    "Time from telling a worker process to end to its end.",
    bounds=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0),
)
SCALING_DECISIONS = Counter(
    STORE,
    "fleet_scaling_decisions",
    "Changes of a task queue's permits by the autoscaler.",
    ["entry", "kind", "direction", "reason"],
)
