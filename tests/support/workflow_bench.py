"""Runs workflows on a real server: each once with the sticky cache on the fast lane, once without a cache on the SDK's
public interface, and both replayed from their histories on both."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from both_lanes import replay_on_both
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import CancelledError, FailureError

import fleet
from fleet.registry import App
from fleet.worker.client import connect
from fleet.worker.serve import Serving, serve
from fleet.workflow import Origin

CLIENT = {"name": "temporal", "kind": "temporal.client", "address": "localhost:7233"}
WORKER = {"name": "worker", "kind": "temporal.worker", "client": "app:temporal"}
NO_CACHE = {"max_cached_workflows": 0}
PUBLIC = {"lane": False}
WAYS: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, {}), (PUBLIC, NO_CACHE)]
"""Options of `serve` and overrides of a worker that make no difference to a workflow."""


def as_module(text: str) -> str:
    """A text without `return { main ... }` is the body of main(...), from line 2 on."""
    if re.search(r"return \{ ?main", text):
        return text
    return f"local function main(...)\n{text}\nend\nreturn {{ main = main }}\n"


@dataclass
class Outcome:
    """How a run ended: its result, or the failure as the server has it."""

    result: Any = None
    failure: Failure | None = None
    history: WorkflowHistory | None = None
    canceled: bool = False

    @property
    def error(self) -> dict[str, Any]:
        """kind, message and retryability of the failure."""
        assert self.failure is not None, f"the run did not fail, it returned {self.result!r}"
        info = self.failure.application_failure_info
        return {"kind": info.type, "message": self.failure.message, "non_retryable": info.non_retryable}

    def attributes(self, kind: str) -> list[Any]:
        """The attributes of all events of a kind, such as "activity_task_scheduled"."""
        assert self.history is not None
        return [
            getattr(event, f"{kind}_event_attributes")
            for event in self.history.events
            if event.WhichOneof("attributes") == f"{kind}_event_attributes"
        ]

    @property
    def scheduled(self) -> Any:
        """The attributes of the only ActivityTaskScheduled event."""
        (attributes,) = self.attributes("activity_task_scheduled")
        return attributes


@dataclass
class Bench:
    """An application in a temporary directory, and ways to run its workflows."""

    address: str
    root: Path
    queue: str = field(default_factory=lambda: f"q-{uuid.uuid4().hex[:12]}")
    entries: list[dict[str, Any]] = field(default_factory=list)
    search_attributes: dict[str, str] = field(default_factory=dict)

    def lua(
        self,
        kind: str,
        name: str,
        text: str,
        *,
        modules: str = "",
        imports: dict[str, str] | None = None,
        method: str = "main",
        **extra: Any,
    ) -> None:
        """Add an entry whose file is `text`."""
        (self.root / f"{name}.lua").write_text(text)
        meta = extra.pop("meta", {})
        if kind == "workflow.lua":
            meta = {**meta, "temporal": {"workflow": {"worker": "app:worker", **extra.pop("workflow", {})}}}
        elif kind == "function.lua" and extra.pop("activity", True) is not False:
            meta = {**meta, "temporal": {"activity": {"worker": "app:worker", **extra.pop("binding", {})}}}
        entry = {
            "name": name,
            "kind": kind,
            "source": f"file://{name}.lua",
            "modules": modules.split(),
            "meta": meta,
            **extra,
        }
        if kind != "library.lua":
            entry["method"] = method
        if imports:
            entry["imports"] = imports
        self.entries.append(entry)

    def workflow(self, text: str, name: str = "wf", **options: Any) -> None:
        """Add a workflow.lua entry; a text without `return` of a table is the body of main(...)."""
        self.lua("workflow.lua", name, as_module(text), **options)

    def deploy(self, text: str, name: str = "wf") -> App:
        """Replace the file of a workflow and load the application anew, as a deployment does."""
        (self.root / f"{name}.lua").write_text(as_module(text))
        return self.load()

    def function(self, text: str, name: str, **options: Any) -> None:
        """Add a function.lua entry that is an activity."""
        self.lua("function.lua", name, text, **options)

    def load(self) -> App:
        """Write the YAML and load the application."""
        self.write_index(self.root, {"task_queue": self.queue})
        return fleet.load_app(self.root)

    def write_index(self, root: Path, worker: dict[str, Any]) -> None:
        """Write the YAML of the application; ``worker`` are fields of its worker."""
        client = {**CLIENT, "search_attributes": self.search_attributes}
        entries = [client, {**WORKER, **worker}, *self.entries]
        document = {"version": "1.0", "namespace": "app", "entries": entries}
        (root / "_index.yaml").write_text(yaml.safe_dump(document))

    async def client(self) -> Client:
        """A client of the test server."""
        return await Client.connect(self.address)

    def serving(self, app: App, options: dict[str, Any] | None = None, **overrides: Any) -> Any:
        """`serve` on the test server, with its `options` and with `overrides` for the workers."""
        return serve(
            app,
            lambda entry: connect(entry, address=self.address, plaintext=True),
            overrides={"graceful_shutdown_timeout": timedelta(0), **overrides},
            **(options or {}),
        )

    async def run(self, *args: Any, name: str = "wf", same: bool = True, **start: Any) -> Outcome:
        """Run in both WAYS, replay both histories, and return the first outcome.

        same: whether both runs must give the same result.
        """
        app = self.load()
        outcomes = []
        for options, overrides in WAYS:
            async with self.serving(app, options, **overrides) as serving:
                outcome = await self._run_once(serving, name, args, start)
            await self.replay(app, outcome)
            outcomes.append(outcome)
        if same:
            assert outcomes[0].result == outcomes[1].result, "the sticky cache or the lane makes a difference"
            if outcomes[0].failure is not None:
                assert outcomes[0].error == outcomes[1].error
        return outcomes[0]

    async def _run_once(self, serving: Serving, name: str, args: tuple[Any, ...], start: dict[str, Any]) -> Outcome:
        return await self.outcome(await self.start(serving, *args, name=name, **start))

    async def start(self, serving: Serving, *args: Any, name: str = "wf", **start: Any) -> WorkflowHandle[Any, Any]:
        """Start a workflow of the application that is being served."""
        start = {"id": f"wf-{uuid.uuid4().hex[:12]}", "execution_timeout": timedelta(seconds=60), **start}
        return await serving.clients["app:temporal"].start_workflow(
            serving.app.workflow_type(f"app:{name}"), args=args, task_queue=self.queue, **start
        )

    async def outcome(self, handle: WorkflowHandle[Any, Any]) -> Outcome:
        """Wait for the end of a run."""
        outcome = Outcome()
        try:
            outcome.result = await handle.result()
        except WorkflowFailureError as error:
            assert isinstance(error.cause, FailureError)
            outcome.failure = error.cause.failure
            outcome.canceled = isinstance(error.cause, CancelledError)
        outcome.history = await handle.fetch_history()
        return outcome

    async def event(self, handle: WorkflowHandle[Any, Any], kind: str, count: int = 1) -> Any:
        """Wait until the history has `count` events of a kind; the attributes of the last of them."""
        while True:
            status = (await handle.describe()).status
            found = Outcome(history=await handle.fetch_history()).attributes(kind)
            if len(found) >= count:
                return found[-1]
            assert status == WorkflowExecutionStatus.RUNNING, f"ended before any {kind}"
            await asyncio.sleep(0.05)

    async def replay(self, app: App, outcome: Outcome) -> None:
        """Replay the history of a run: raises when the code does not fit it, or when it matters how it is replayed."""
        assert outcome.history is not None
        await replay_on_both(app, outcome.history, Origin(self.queue, "default"))
