"""Builders of small applications for the tests of `fleet.check`."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from fleet.registry import Problem

Check = Callable[..., list[Problem]]

BASE_ENTRIES: list[dict[str, Any]] = [
    {
        "name": "temporal",
        "kind": "temporal.client",
        "address": "localhost:7233",
        "search_attributes": {"status": "Keyword", "customer_id": "Keyword", "order_total": "Double"},
    },
    {"name": "worker", "kind": "temporal.worker", "client": "app:temporal", "task_queue": "orders"},
    {"name": "other_worker", "kind": "temporal.worker", "client": "app:temporal", "task_queue": "others"},
    {"name": "processes", "kind": "process.host"},
]


def entry(name: str, kind: str, source: str, modules: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """An entry of a Lua kind; workflows and activities are bound to `app:worker` unless `meta` says otherwise."""
    made: dict[str, Any] = {"name": name, "kind": kind, "source": source, "modules": modules or []}
    if kind in ("workflow.lua", "function.lua", "process.lua"):
        made["method"] = "main"
    if kind == "workflow.lua":
        made["meta"] = {"temporal": {"workflow": {"worker": "app:worker"}}}
    return made | more


def activity(name: str) -> dict[str, Any]:
    """A function that `app:worker` serves as an activity."""
    meta = {"temporal": {"activity": {"worker": "app:worker"}}}
    return entry(name, "function.lua", "return { main = function(x) return x end }", meta=meta)


def workflow(name: str, worker: str = "app:worker") -> dict[str, Any]:
    """A workflow that returns its input."""
    meta = {"temporal": {"workflow": {"worker": worker}}}
    return entry(name, "workflow.lua", "return { main = function(x) return x end }", meta=meta)


ALL_MODULES = ["funcs", "time", "workflow", "uuid", "crypto", "json", "ctx", "hash", "base64", "logger"]


def main(body: str, parameters: str = "input, order, id") -> str:
    """A chunk whose `main` function has this body, which starts on line 2."""
    return f"local function main({parameters})\n{textwrap.dedent(body).strip()}\nend\nreturn {{ main = main }}\n"


def lines(problems: list[Problem]) -> list[str]:
    """Each finding as `severity file:line message`, for comparison."""
    return [f"{problem.severity} {problem.place} {problem.message}" for problem in problems]
