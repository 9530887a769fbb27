"""Processes that watch workflows (spec/workflows.md, section 9; links to workflows go one way)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleet.activity import payloads
from fleet.modules import RequestFailed

from .pid import Pid
from .workflow_control import Workflows
from .workflow_follow import Ending

if TYPE_CHECKING:
    from .process import Process


class Watches:
    """The workflows that one process watches."""

    def __init__(self, process: Process) -> None:
        self._process = process
        # By PID, role, and the first run of the chain that is watched.
        self._watches: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    def add(self, workflows: Workflows, pid: Pid, role: str, run_id: str = "", chain: str = "") -> None:
        """Watch a workflow as a ``monitor`` or ``link``, unless it is watched so.

        run_id, chain: as ``Started`` has them; "" for the latest run. A start that terminated a run and took its id is
        another chain under the same PID: each has an end of its own.
        """
        key = (str(pid), role, chain)
        if key in self._watches or (not chain and self._watched(pid, role)):
            return
        self._watches[key] = asyncio.create_task(self._watch(workflows, pid, key, run_id), name=f"{role} {pid}")

    def remove(self, pid: Pid, role: str) -> None:
        """Watch it no more."""
        for key in self._watched(pid, role):
            self._watches.pop(key).cancel()

    def _watched(self, pid: Pid, role: str) -> list[tuple[str, str, str]]:
        return [key for key in self._watches if key[:2] == (str(pid), role)]

    def close(self) -> None:
        """The process has ended: it watches nobody."""
        for task in self._watches.values():
            task.cancel()
        self._watches.clear()

    async def _watch(self, workflows: Workflows, pid: Pid, key: tuple[str, str, str], run_id: str) -> None:
        try:
            ending = await workflows.follow(pid.node, pid.id, run_id)
        except RequestFailed as failed:
            ending = Ending(error=failed.error)
        self._watches.pop(key, None)
        outcome = ending.error or ending.value or payloads.encode(None)
        # The normal end of a linked workflow is an event too, unlike that of a process.
        if key[1] == "link" and ending.abnormal:
            self._process.link_down(str(pid), outcome)
        else:
            self._process.exited(str(pid), outcome)
