"""What the supervisor hands to a worker process, and what the command line hands to the supervisor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleet.registry import App

from .page import Quarantine, Slot
from .scaling_stats import TaskQueue
from .settings import Settings


@dataclass(frozen=True)
class WorkerJob:
    """The work of one process.

    Attributes:
        slot: its number, from 0.
        cpu: the CPU that it is pinned to, None without one.
        app: what it serves.
        settings: of the fleet.
        cache_bytes: what the Lua states of its cached workflow runs may hold together; 0 is no limit.
        block: where it writes how it does.
        quarantine: the runs that it must not run.
        supervisor: process id of the supervisor.
        stacks: descriptor of a file in memory for its stacks, which the supervisor reads after its death.
        leftovers: files of the supervisor, with device and inode, to be removed when that was killed.
        metrics: directory of the files that it counts in; None when nobody asks for metrics.
    """

    slot: int
    cpu: int | None
    app: App
    settings: Settings
    cache_bytes: int
    block: Slot
    quarantine: Quarantine
    supervisor: int
    stacks: int
    leftovers: list[tuple[Path, int, int]]
    metrics: Path | None


@dataclass(frozen=True)
class Program:
    """What the supervisor runs without knowing it.

    Attributes:
        work: the life of a worker, to its exit code; called in a child.
        validate: what is wrong with the application on disk, "" when nothing; called in a child.
        report: writes what the server says of an application's task queues to a descriptor, until nobody reads it;
            called in a child.
        load: the application on disk. Raises AppError.
        settings: the effective settings now. Raises SettingsError.
    """

    work: Callable[[WorkerJob], int]
    validate: Callable[[], str]
    report: Callable[[App, list[TaskQueue], int], int]
    load: Callable[[], App]
    settings: Callable[[], Settings]
