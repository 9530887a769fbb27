"""Plays a scenario in every way in which workers can serve it (the samples of tests/spec)."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from workflow_bench import WAYS, Bench, Outcome

from fleet.registry import App, load_app
from fleet.server.registration import ensure_search_attributes
from fleet.worker.serve import Serving


@dataclass
class Play:
    """A scenario that is being played.

    Attributes:
        stage: where.
        serving: the application with its functions and clients, in this process.
        unique: a text of its own for each time that it is played, for ids.
    """

    stage: Stage
    serving: Serving
    unique: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    async def start(self, *args: Any, name: str = "wf", **start: Any) -> WorkflowHandle[Any, Any]:
        """Start a workflow of the application."""
        # A task that died with its worker is given out again after this time.
        return await self.stage.start(self.serving, *args, name=name, task_timeout=timedelta(seconds=1), **start)

    async def call(self, name: str, *args: Any) -> Any:
        """Call a function of the application, as ``fleet call`` does."""
        return await self.serving.functions.call_json(f"app:{name}", args)

    def handle(self, workflow_id: str, run_id: str | None = None) -> WorkflowHandle[Any, Any]:
        """A workflow as another Temporal client has it."""
        return self.serving.clients["app:temporal"].get_workflow_handle(workflow_id, run_id=run_id)

    async def settled(
        self, handle: WorkflowHandle[Any, Any], expected: WorkflowExecutionStatus
    ) -> WorkflowExecutionStatus | None:
        """The status of a workflow, once it is the expected one or no other can come any more."""
        while True:
            status = (await handle.describe()).status
            if status == expected or status != WorkflowExecutionStatus.RUNNING:
                return status
            await asyncio.sleep(0.05)

    async def ended(self, workflow_id: str) -> Outcome:
        """Wait for the end of a workflow, and keep its history for the replay."""
        handle = self.handle(workflow_id)
        outcome = await self.stage.outcome(handle)
        self.stage.histories.append(outcome)
        return outcome


Scene = Callable[[Play], Awaitable[Any]]


class Stage(Bench):
    """A bench whose scenarios are played four times: in both of its WAYS, with a worker that is killed after each
    workflow task, and as replays of all histories."""

    histories: list[Outcome]

    async def prepared(self) -> App:
        """Load the application, with its search attributes declared to the server."""
        await ensure_search_attributes(await self.client(), "default", self.search_attributes)
        return self.load()

    async def play(self, scene: Scene, **options: Any) -> Any:
        """Play ``scene``; what it returns, which must be the same each time. ``options`` are those of ``serve``."""
        app = await self.prepared()
        results = []
        for way, overrides in WAYS:
            async with self.serving(app, {**options, **way}, **overrides) as serving:
                results.append(await self._act(scene, serving))
        async with self.mortal(options) as serving:
            results.append(await self._act(scene, serving))
        assert results[0] == results[1], f"the sticky cache or the lane makes a difference: {results[1]}"
        assert results[0] == results[2], f"the death of a worker makes a difference: {results[2]}"
        return results[0]

    async def _act(self, scene: Scene, serving: Serving) -> Any:
        self.histories = []
        result = await scene(Play(self, serving))
        for outcome in self.histories:
            await self.replay(serving.app, outcome)
        return result

    async def run_sample(self, *args: Any, name: str = "wf") -> Any:
        """Play one workflow from its start to its end; its result."""

        async def scene(play: Play) -> Any:
            handle = await play.start(*args, name=name)
            outcome = await play.ended(handle.id)
            return outcome.result if outcome.failure is None else outcome.error

        return await self.play(scene)

    @asynccontextmanager
    async def mortal(self, options: dict[str, Any] | None = None) -> AsyncIterator[Serving]:
        """Workflows on a worker that dies after each task; everything else in this process."""
        workflows = self._variant("mortal", {"local_activity_worker_only": True})
        rest = load_app(self._variant("rest", {"disable_workflow_worker": True}))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).parent / "mortal_worker.py"),
            str(workflows),
            self.address,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            assert await process.stdout.readline() == b"ready\n"
            async with self.serving(rest, options) as serving:
                yield serving
            assert process.returncode is None, "the mortal worker ended by itself"
        finally:
            process.stdin.close()
            await process.wait()

    def _variant(self, name: str, worker_options: dict[str, Any]) -> Path:
        """A copy of the application with other options of its worker."""
        copy = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root.parent))
        shutil.copytree(self.root, copy, dirs_exist_ok=True)
        self.write_index(copy, {"task_queue": self.queue, "worker_options": worker_options})
        return copy
