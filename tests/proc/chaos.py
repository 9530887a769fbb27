"""Load on a fleet, misfortunes at random, and a ledger: every workflow ends once, with each of its activities' effects."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from supervised import Supervised, alive
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from fleet.server import EmbeddedServer
from fleet.supervisor.control import NoFleet

INDEX = """\
version: "1.0"
namespace: app
entries:
  - {name: temporal, kind: temporal.client, address: "127.0.0.1:1", connection_timeout: 3s}
  - {name: worker, kind: temporal.worker, client: "app:temporal", task_queue: chaos}
  - name: flow
    kind: workflow.lua
    source: file://flow.lua
    modules: [funcs, time]
    meta: {temporal: {workflow: {worker: worker}}}
  - name: record
    kind: function.lua
    source: file://record.lua
    method: main
    modules: [http_client, json, time]
    meta: {temporal: {activity: {worker: worker}}}
"""

FLOW = """\
local options = {
    ["activity.start_to_close_timeout"] = "4s",
    ["activity.retry_policy"] = {initial_interval = "100ms", backoff_coefficient = 1.2},
}
local function main(order)
    local total = 0
    for step = 1, order.steps do
        local value, err = funcs.new():with_options(options):call("app:record", {url = order.url, id = order.id, step = step})
        if err then return nil, err end
        total = total + value
        time.sleep("50ms")
    end
    return total
end
return { main = main }
"""

RECORD = """\
local function main(entry)
    time.sleep("20ms")
    local answer, err = http_client.post(entry.url, {body = json.encode({entry.id, entry.step})})
    if err then return nil, err end
    if answer.status_code ~= 200 then error("the ledger answers " .. answer.status_code) end
    return entry.step
end
return { main = main }
"""

STEPS = 4


@contextmanager
def ledger() -> Iterator[tuple[str, Counter[tuple[str, int]]]]:
    """A server outside of the fleet that writes down what activities did; its URL and its book."""
    book: Counter[tuple[str, int]] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            id, step = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            book[id, step] += 1
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        # Connections beyond these are dropped by the kernel, and tried again after seconds.
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="ledger")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", book
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_app(root: Path) -> None:
    root.mkdir(exist_ok=True)
    (root / "_index.yaml").write_text(INDEX)
    (root / "flow.lua").write_text(FLOW)
    (root / "record.lua").write_text(RECORD)


@dataclass
class Chaos:
    """One run.

    Attributes:
        home: where files go.
        seed: of everything that is random.
        misfortunes: what happened, how often.
        handles: the workflows that were started.
    """

    home: Path
    seed: int
    misfortunes: Counter[str] = field(default_factory=Counter)
    handles: list[WorkflowHandle[Any, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.app = self.home / "app"
        self.fleets: list[Supervised] = []
        self.everybody: set[int] = set()
        self._server = AsyncExitStack()
        self._up = asyncio.Event()

    async def run(self, seconds: float, most_running: int, kinds: list[str]) -> None:
        """Load and misfortunes of `kinds` for `seconds`, then the ledger's balance."""
        write_app(self.app)
        with ledger() as (url, book):
            address = await self._begin_server(None)
            port = int(address.rpartition(":")[2])
            client = await Client.connect(address)
            self._begin_fleet(address)
            try:
                over = asyncio.Event()
                load = asyncio.create_task(self._load(client, url, most_running, over))
                await asyncio.to_thread(self.fleets[-1].wait_ready, 2)
                ends = asyncio.get_running_loop().time() + seconds
                while asyncio.get_running_loop().time() < ends:
                    await asyncio.sleep(self.random.uniform(0.5, 2.0))
                    await self._misfortune(self.random.choice(kinds), address, port)
                over.set()
                await load
                await self._balance(client, book)
                await asyncio.to_thread(self._farewell)
            finally:
                for fleet in self.fleets:
                    fleet.clean_up()
                await self._server.aclose()

    async def _load(self, client: Client, url: str, most_running: int, over: asyncio.Event) -> None:
        running: set[asyncio.Task[Any]] = set()
        while not over.is_set():
            await self._up.wait()
            if len(running) >= most_running:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED, timeout=0.5)
            running = {task for task in running if not task.done()}
            if len(running) < most_running:
                id = f"flow-{self.seed}-{len(self.handles)}"
                order = {"url": url, "id": id, "steps": STEPS}
                handle = await self._begin(client, id, order)
                self.handles.append(handle)
                running.add(asyncio.create_task(self._result(handle)))
        await asyncio.gather(*running)

    async def _begin(self, client: Client, id: str, order: dict[str, Any]) -> WorkflowHandle[Any, Any]:
        """Start a workflow for certain: the answer of the server may be lost with it."""
        while True:
            try:
                return await client.start_workflow("app:flow", order, id=id, task_queue="chaos")
            except WorkflowAlreadyStartedError:
                return client.get_workflow_handle(id)
            except RPCError:
                await asyncio.sleep(0.2)

    async def _result(self, handle: WorkflowHandle[Any, Any]) -> Any:
        while True:
            try:
                return await handle.result()
            except RPCError:
                await asyncio.sleep(0.2)

    async def _misfortune(self, kind: str, address: str, port: int) -> None:
        fleet = self.fleets[-1]
        with suppress(NoFleet, ProcessLookupError):
            pids = await asyncio.to_thread(fleet.pids)
            self.everybody.update(pids)
            if kind in ("kill", "stop") and pids:
                os.kill(self.random.choice(pids), signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
            elif kind == "reload":
                (self.app / "flow.lua").write_text(f"{FLOW}-- {self.random.random()}\n")
                fleet.process.send_signal(signal.SIGHUP)
            elif kind == "scale":
                await asyncio.to_thread(fleet.ask, "scale", workers=self.random.randint(1, 3))
            elif kind == "murder":
                fleet.stop(signal.SIGKILL)
                # One that is stopped can leave when it goes on.
                workers = [event["pid"] for event in fleet.events("start")]
                for pid in workers:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
                # The last worker takes the socket along. Where none lived, the next supervisor replaces it.
                await self._wait(lambda: not any(alive(pid) for pid in workers))
                self._begin_fleet(address)
            elif kind == "outage":
                self._up.clear()
                await self._server.aclose()
                await asyncio.sleep(self.random.uniform(0.5, 3.0))
                await self._begin_server(port)
            self.misfortunes[kind] += 1

    async def _begin_server(self, port: int | None) -> str:
        self._server = AsyncExitStack()
        started = EmbeddedServer.start(data_file=self.home / "temporal.db", port=port)
        server = await self._server.enter_async_context(started)
        self._up.set()
        return server.address

    def _begin_fleet(self, address: str) -> None:
        settings = {
            "workers": "2",
            "listen": "127.0.0.1:0",
            "hung_after": "3s",
            "worker_drain": "10s",
            "fleet_drain": "15s",
        }
        self.fleets.append(Supervised(self.app, self.home, address, settings))

    async def _wait(self, condition: Any) -> None:
        while not condition():
            await asyncio.sleep(0.05)

    async def _balance(self, client: Client, book: Counter[tuple[str, int]]) -> None:
        """Every workflow completed, once, with the effect of each of its activities; nothing is left running."""
        for handle in self.handles:
            description = await handle.describe()
            assert description.status is WorkflowExecutionStatus.COMPLETED, (handle.id, description.status)
            assert await handle.result() == STEPS * (STEPS + 1) // 2
        missing = [(h.id, step) for h in self.handles for step in range(1, STEPS + 1) if not book[h.id, step]]
        assert not missing
        assert {id for id, _ in book} == {handle.id for handle in self.handles}
        assert (await client.count_workflows("")).count == len(self.handles), "a workflow ran more than once"
        left = [execution.id async for execution in client.list_workflows('ExecutionStatus = "Running"')]
        assert not left

    def _farewell(self) -> None:
        """The last fleet drains; no process, socket or file of any fleet is left."""
        fleet = self.fleets[-1]
        assert fleet.stop() == -signal.SIGTERM, fleet.text
        begun = self.everybody | {event["pid"] for fleet in self.fleets for event in fleet.events("start")}
        assert not [pid for pid in begun if alive(pid)]
        assert not fleet.socket.exists()
        pids = [fleet.process.pid for fleet in self.fleets]
        assert not [path for pid in pids for path in Path("/dev/shm").glob(f"lua-fleet-metrics-*-{pid}-*")]

    def report(self) -> str:
        """What happened."""
        what = ", ".join(f"{count} x {kind}" for kind, count in sorted(self.misfortunes.items()))
        return f"seed {self.seed}: {len(self.handles)} workflows through {what}"
