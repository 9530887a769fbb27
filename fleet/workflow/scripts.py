"""Lua states for workflow runs of one application: what they may use, how much, and which program they run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fleet import _core
from fleet.lua import Programs, StatePool
from fleet.modules import HOST, preload
from fleet.registry import App

from .schema import ACTIVATION, COMPLETION, SCHEMA

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

Issued = Callable[[int, str], None]
"""Told of each command: its number in the activation (from 1), and the Lua stack where it was issued."""

script_logger = logging.getLogger("fleet.script")


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    Attributes:
        memory: bytes of Lua memory per run. 64 MiB holds any state that is fit to be replayed.
        instructions: VM instructions per activation, C work included.
        seconds: wall-clock time per activation. Below the SDK's own 2 seconds, so that our report comes first.
    """

    memory: int = 64 << 20
    instructions: int = 200_000_000
    seconds: float = 1.0


@dataclass(frozen=True)
class Origin:
    """Where a run lives, as the script sees it (decision 14): the same in a replay as in the run."""

    task_queue: str
    namespace: str


class WorkflowScripts:
    """Makes the states of an application's workflow runs.

    Attributes:
        functions: what the core may ask about any run; each has a few functions of its own beside them.
    """

    def __init__(self, app: App, limits: Limits = Limits(), pool_size: int = 8) -> None:
        self.app = app
        self.limits = limits
        self.programs = Programs(app)
        self.pool = StatePool(self._prepare, pool_size)
        self.functions: dict[str, Callable[..., Any]] = {
            **HOST,
            "activity": self._activity_table().get,
            "workflow": self._child,
            "worker": self._worker,
        }
        preload(app)

    def start(
        self, entry_id: str, workflow_id: str, run_id: str, origin: Origin, issued: Issued | None = None
    ) -> _core.LuaState:
        """A state for one run. `issued` is told of each command. Raises ScriptProblem when a file does not compile."""
        state = self.pool.take(self.programs.get(entry_id))
        state.host = RunHost(self, entry_id, workflow_id, run_id, origin, issued)
        return state

    def close(self) -> None:
        """Free the prepared states."""
        self.pool.close()

    def _prepare(self) -> _core.LuaState:
        return _core.LuaState(
            engine="engine_workflow",
            memory_limit=self.limits.memory,
            instruction_limit=self.limits.instructions,
            schema=SCHEMA,
            message_in=ACTIVATION,
            message_out=COMPLETION,
        )

    def _activity_table(self) -> Mapping[str, dict[str, Any]]:
        """What entries say about their calls: part of the code's determinism (decision 4)."""
        table: dict[str, dict[str, Any]] = {}
        for worker_id, worker in self.app.workers.items():
            for entry in self.app.activities_of(worker_id):
                table[entry.id] = {
                    "task_queue": worker.task_queue,
                    "local": entry.activity.local if entry.activity is not None else False,
                    "options": dict(entry.options),
                }
        return table

    def _child(self, entry_id: str) -> dict[str, Any] | None:
        """What an entry says of its start as a child; None when there is no such workflow."""
        entry = self.app.workflows.get(entry_id)
        if entry is None:
            return None
        return {"type": entry.type_name, "worker": entry.worker, "options": dict(entry.options)}

    def _worker(self, worker_id: str) -> dict[str, str] | None:
        """Where a worker's workflows run; None when the name is no worker's."""
        worker = self.app.workers.get(worker_id)
        if worker is None:
            return None
        return {"task_queue": worker.task_queue, "client": worker.client}

    def place(self, entry_id: str) -> tuple[str, str]:
        """The worker of a workflow entry and the client of that; "" where there is none."""
        worker_id = self.app.workflows[entry_id].worker or ""
        worker = self.app.workers.get(worker_id)
        return worker_id, worker.client if worker is not None else ""

    def neighbour(self, own: str, other: str) -> str | None:
        """The namespace of another client of the same Temporal server; None when there is no such client."""
        own_client, client = self.app.clients.get(own), self.app.clients.get(other)
        if own_client is None or client is None or client.address != own_client.address:
            return None
        return client.namespace


class RunHost:
    """What the core may ask about one run: itself, and whatever is the same for all runs. Each cached run has one,
    so it is small: names of functions are looked up in its class."""

    __slots__ = ("_entry_id", "_issued", "_origin", "_run_id", "_scripts", "_workflow_id")

    def __init__(
        self,
        scripts: WorkflowScripts,
        entry_id: str,
        workflow_id: str,
        run_id: str,
        origin: Origin,
        issued: Issued | None,
    ) -> None:
        self._scripts = scripts
        self._entry_id = entry_id
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._origin = origin
        self._issued = issued

    def __call__(self, name: str, *args: Any) -> Any:
        own = self._OWN.get(name)
        return self._scripts.functions[name](*args) if own is None else own(self, *args)

    def _log(self, level: str, text: str, fields: Mapping[str, Any] | None = None) -> None:
        context = {"workflow_id": self._workflow_id, "run_id": self._run_id, "entry": self._entry_id}
        script_logger.log(LEVELS[level], "%s", text, extra={"fleet": {**context, **(fields or {})}})

    def _told(self, number: int, stack: str) -> None:
        assert self._issued is not None
        self._issued(number, stack)

    def _neighbour(self, other: str) -> str | None:
        return self._scripts.neighbour(self._scripts.place(self._entry_id)[1], other)

    def _search_attributes(self) -> dict[str, str]:
        client = self._scripts.app.clients.get(self._scripts.place(self._entry_id)[1])
        return dict(client.search_attributes) if client is not None else {}

    def _run_info(self) -> dict[str, Any]:
        worker, client = self._scripts.place(self._entry_id)
        return {
            "task_queue": self._origin.task_queue,
            "namespace": self._origin.namespace,
            "entry": self._entry_id,
            "worker": worker,
            "client": client,
            "explained": self._issued is not None,
        }

    _OWN: ClassVar[dict[str, Callable[..., Any]]] = {
        "log": _log,
        "issued": _told,
        "neighbour": _neighbour,
        "search_attributes": _search_attributes,
        "run_info": _run_info,
    }
