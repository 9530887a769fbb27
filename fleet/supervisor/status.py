"""The state of a fleet, for people and programs."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .page import MAX_QUEUES, QUARANTINED_FROM, Kind, State, Tasks
from .scaling_fleet import QueueView
from .worker import Worker, cpu_seconds, resident_bytes

if TYPE_CHECKING:
    from .supervisor import Supervisor

_SECOND = 1e9


def status_of(supervisor: Supervisor) -> dict[str, Any]:
    """Everything as plain data: sizes in bytes, times in seconds."""
    crew = supervisor.crew
    taken_down = crew.page.quarantine.counts()
    queues = [(entry.id, entry.task_queue) for entry in sorted(crew.release.app.workers.values(), key=lambda e: e.id)]
    return {
        "pid": os.getpid(),
        "app": str(crew.release.app.root),
        "content_hash": crew.release.app.content_hash,
        "generation": crew.release.generation,
        "uptime": round(time.monotonic() - supervisor.began, 3),
        "ready": supervisor.ready,
        "ending": supervisor.ending,
        "reloading": supervisor.reloading.active,
        "target": crew.target,
        "serving": crew.serving,
        "workers": [_worker(worker, queues) for _, worker in sorted(crew.workers.items())],
        "task_queues": [_queue(view) for view in supervisor.autoscaler.view()],
        "quarantine": {run_id: count for run_id, count in taken_down.items() if count >= QUARANTINED_FROM},
        "suspects": [run_id for run_id, count in taken_down.items() if count < QUARANTINED_FROM],
        "decisions": list(supervisor.journal.recent),
    }


def _worker(worker: Worker, queues: list[tuple[str, str]]) -> dict[str, Any]:
    block, now = worker.block, time.monotonic_ns()
    activating = block.activating
    return {
        "slot": worker.number,
        "cpu": worker.cpu,
        "pid": worker.pid,
        "state": _state(worker),
        "generation": block.generation,
        "uptime": round(time.monotonic() - worker.born, 3) if worker.pid else 0,
        "beat_age": round((now - block.beat) / _SECOND, 3) if worker.pid else None,
        "in_flight": block.in_flight,
        "activating": (
            {"run_id": activating.run_id, "seconds": round((now - activating.since) / _SECOND, 3)}
            if activating is not None
            else None
        ),
        "restarts": worker.restarts.total,
        "memory": resident_bytes(worker.pid),
        "cpu_seconds": round(cpu_seconds(worker.pid), 2),
        "lua_bytes": block.lua_bytes,
        "cached_runs": block.cached_runs,
        "lane": block.lane.name.lower() if block.lane else None,
        "routing": block.routing.name.lower() if block.routing else None,
        "queues": [
            {
                "worker": id,
                "task_queue": queue,
                **{kind.name.lower(): _tasks(block.tasks(number, kind)) for kind in Kind},
            }
            for number, (id, queue) in enumerate(queues[:MAX_QUEUES])
        ],
    }


def _queue(view: QueueView) -> dict[str, Any]:
    return {
        "worker": view.queue.worker,
        "kind": view.queue.kind.name.lower(),
        "task_queue": view.task_queue,
        "permits": view.permits,
        "held": view.held,
        "used": view.used,
        "wanting": view.wanting,
        "unpolled": view.unpolled,
        "stats": asdict(view.stats) if view.stats is not None else None,
    }


def _tasks(tasks: Tasks) -> dict[str, int | None]:
    return {"permits": tasks.permits, "held": tasks.held, "used": tasks.used}


def _state(worker: Worker) -> str:
    if not worker.pid:
        return "waiting"
    if worker.ending is not None:
        return "ending"
    return {State.EMPTY: "starting"}.get(worker.block.state, worker.block.state.name.lower())


def status_text(supervisor: Supervisor) -> str:
    """One line for each worker, for the log."""
    status = status_of(supervisor)
    lines = [
        f"{status['serving']} of {status['target']} workers serve, generation {status['generation']}, "
        f"up {status['uptime']:.0f} s"
    ]
    for worker in status["workers"]:
        cpu = "any" if worker["cpu"] is None else worker["cpu"]
        lines.append(
            f"worker {worker['slot']} pid {worker['pid']} CPU {cpu} {worker['state']}, "
            f"{worker['in_flight']} in hand, {worker['restarts']} restarts, {worker['memory'] >> 20} MiB"
        )
    return "\n".join(lines)
