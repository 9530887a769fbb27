"""The state of a fleet as people read it."""

from __future__ import annotations

import time
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_STATES = {"ready": "green", "starting": "cyan", "ending": "yellow", "draining": "yellow", "waiting": "red"}

_ROUTINGS = {
    "inactive": "these workers get NO tasks: their version is not current (`temporal worker deployment"
    " set-current-version`; the log says the whole command)",
    "ramping": "this version is ramping: a part of the new runs comes here",
    "draining": "this version is draining: it gets the tasks of runs that are pinned to it, and no new ones",
    "drained": "this version is drained: no open run is pinned to it, and its workers can go",
}


def fleet_view(status: dict[str, Any], before: dict[str, Any] | None, *, decisions: int) -> RenderableType:
    """Workers, task queues, runs in quarantine and the last decisions.

    status: as the supervisor gives it. before: an earlier one, from which CPU use is told; None without one.
    """
    parts: list[RenderableType] = [_head(status), _workers(status, before)]
    if any(worker["queues"] for worker in status["workers"]):
        parts.append(_queues(status))
    if routing := _ROUTINGS.get(_routing(status)):
        parts.append(Text(routing, style="yellow"))
    for run_id, count in status["quarantine"].items():
        text = f"run {run_id} is in quarantine, {count} workers went down in its tasks: `fleet release {run_id}`"
        parts.append(Text(text, style="bold red"))
    for run_id in status["suspects"]:
        parts.append(Text(f"run {run_id} was in hand when a worker went down", style="yellow"))
    recent = status["decisions"][-decisions:]
    parts += [
        Text(f"{_clock(decision['time'])}  {decision['text'].splitlines()[0]}", style="dim") for decision in recent
    ]
    return Group(*parts)


def _routing(status: dict[str, Any]) -> str:
    """What the server sends to the version of the workers, as the first that knows it says; empty when none does."""
    return next((worker["routing"] for worker in status["workers"] if worker["routing"]), "")


def _head(status: dict[str, Any]) -> Text:
    words = ["ready"] if status["ready"] else ["not ready"]
    words += [word for word in ("reloading", "ending") if status[word]]
    return Text.assemble(
        (f"{status['app']}  ", "bold"),
        f"{', '.join(words)}: {status['serving']} of {status['target']} workers serve, generation "
        f"{status['generation']}, pid {status['pid']}, up {_time(status['uptime'])}",
    )


def _workers(status: dict[str, Any], before: dict[str, Any] | None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("worker", "pid", "cpu", "state", "gen", "up", "in hand", "beat", "cpu use", "memory", "cached", "lua"):
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=name != "state")
    table.add_column("restarts", justify="right")
    for worker in status["workers"]:
        state = Text(worker["state"], style=_STATES.get(worker["state"], ""))
        if worker["lane"] in ("public", "mixed"):
            state.append(f" {worker['lane']} lane", "yellow")
        activating = worker["activating"]
        if activating is not None and activating["seconds"] > 1:
            state.append(f" {activating['run_id']} for {activating['seconds']:.0f} s", "red")
        beat = worker["beat_age"]
        table.add_row(
            str(worker["slot"]),
            str(worker["pid"] or "-"),
            "" if worker["cpu"] is None else str(worker["cpu"]),
            state,
            str(worker["generation"] or "-"),
            _time(worker["uptime"]),
            str(worker["in_flight"]),
            f"{beat:.1f} s" if beat is not None else "-",
            _cpu_use(worker, status, before),
            _size(worker["memory"]),
            str(worker["cached_runs"]),
            _size(worker["lua_bytes"]),
            str(worker["restarts"]),
        )
    return table


def _queues(status: dict[str, Any]) -> Table:
    """Task queues, with the sums over all workers, and what waits on the server."""
    stats = {(queue["worker"], queue["kind"]): queue["stats"] for queue in status["task_queues"]}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("task queue", "kind", "in hand", "polls", "permits", "backlog", "oldest"):
        table.add_column(name, justify="left" if name in ("task queue", "kind") else "right")
    for number, queue in enumerate(status["workers"][0]["queues"]):
        for kind in ("workflow", "activity"):
            tasks = [worker["queues"][number][kind] for worker in status["workers"]]
            used, held = (sum(task[name] for task in tasks) for name in ("used", "held"))
            permits = [task["permits"] for task in tasks if task["permits"] is not None]
            limit = str(sum(permits)) if permits else "-"
            known = stats.get((queue["worker"], kind))
            waiting = (str(known["backlog"]), f"{known['age']:.0f} s") if known is not None else ("-", "-")
            table.add_row(queue["task_queue"], kind, str(used), str(max(held - used, 0)), limit, *waiting)
    return table


def _cpu_use(worker: dict[str, Any], status: dict[str, Any], before: dict[str, Any] | None) -> str:
    if before is None:
        return f"{worker['cpu_seconds']:.1f} s"
    old = next((other for other in before["workers"] if other["pid"] == worker["pid"]), None)
    passed = status["uptime"] - before["uptime"]
    if old is None or passed <= 0:
        return "-"
    return f"{100 * (worker['cpu_seconds'] - old['cpu_seconds']) / passed:.0f} %"


def _time(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _size(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB" if count else "-"


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
