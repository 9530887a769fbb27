"""process.service: processes and workflows that run with the application (spec/registry.md, sections 4 and 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from workflow_bench import Bench, as_module

from fleet.worker.client import connect
from fleet.worker.serve import ServiceOptions, Serving, serve

QUICK = {"restart": {"initial_delay": "10ms", "max_delay": "50ms"}, "auto_start": True}


def service(bench: Bench, process: str, host: str = "app:host", *, arguments: Any = None, **lifecycle: Any) -> None:
    """Add a process.host and the entry app:service."""
    bench.entries.append({"name": "host", "kind": "process.host"})
    entry = {"name": "service", "kind": "process.service", "process": process, "host": host}
    bench.entries.append({**entry, "lifecycle": {**QUICK, **lifecycle}, "input": arguments or []})


def serving(bench: Bench) -> Any:
    """The application with its services."""

    async def connector(entry: Any) -> Any:
        return await connect(entry, address=bench.address, plaintext=True)

    return serve(bench.load(), connector, services=ServiceOptions())


async def until(done: Callable[[], bool]) -> None:
    """Wait for a condition."""
    while not done():
        await asyncio.sleep(0.01)


async def test_a_service_runs_under_its_id_with_its_input(bench: Bench) -> None:
    bench.lua(
        "process.lua",
        "adder",
        as_module(
            """
            local sum, inbox = ..., process.inbox()
            while true do
                local msg = inbox:receive()
                sum = sum + msg:payload():data()
                process.send(msg:from(), 'sum', sum)
            end
            """
        ),
    )
    bench.function(
        as_module("assert(process.send('app:service', 'add', 2)) return process.listen('sum'):receive()"), "ask"
    )
    service(bench, "app:adder", arguments=[40])
    async with serving(bench) as running:
        assert await running.functions.call_json("app:ask") == 42
        pid = running.node.names.lookup("app:service")
        assert pid is not None and "@app:host|" in pid


async def test_one_that_fails_is_started_again(bench: Bench) -> None:
    bench.lua("process.lua", "frail", as_module("process.inbox():receive() error('broken')"))
    bench.function(as_module("return process.send('app:service', 'break')"), "hit")
    service(bench, "app:frail")
    async with serving(bench) as running:
        seen = []
        for _ in range(3):
            await until(lambda: running.node.names.lookup("app:service") not in (None, *seen))
            seen.append(running.node.names.lookup("app:service"))
            await running.functions.call_json("app:hit")
        assert len(set(seen)) == 3


async def test_one_that_ends_stays_ended(bench: Bench) -> None:
    bench.lua("process.lua", "short", as_module("process.inbox():receive() return 1"))
    bench.function(as_module("return process.send('app:service', 'end')"), "hit")
    service(bench, "app:short")
    async with serving(bench) as running:
        await running.functions.call_json("app:hit")
        await until(lambda: running.node.names.lookup("app:service") is None)
        await asyncio.sleep(0.2)
        assert running.node.names.lookup("app:service") is None


async def test_a_stop_is_a_cancel_event_and_then_the_end(bench: Bench) -> None:
    bench.lua(
        "process.lua",
        "polite",
        as_module(
            """
            local event = process.events():receive()
            time.sleep('50ms')
            funcs.call('app:note', event.kind .. ' ' .. event.reason)
            """
        ),
        modules="time funcs",
    )
    bench.lua("process.lua", "deaf", as_module("process.events() while true do time.sleep('1h') end"), modules="time")
    bench.function(as_module("print('noted', ...)"), "note")
    service(bench, "app:polite")
    deaf = {"name": "deaf_service", "kind": "process.service", "process": "app:deaf", "host": "app:host"}
    bench.entries.append({**deaf, "lifecycle": {**QUICK, "stop_timeout": "500ms"}})
    ends: list[Any] = []
    async with serving(bench) as running:
        for name in ("app:service", "app:deaf_service"):
            process = running.node.process(running.node.names.lookup(name))
            process.result.add_done_callback(lambda future: ends.append(future.result()))
    deaf_end, polite_end = ends
    assert deaf_end.message == "the deadline of its cancellation has passed"
    assert isinstance(polite_end, bytes), "it ended by itself"


async def test_a_service_on_a_worker_is_a_workflow_that_goes_on(bench: Bench) -> None:
    id = f"app:service-{bench.queue}"
    bench.workflow("local n = ... return n + process.listen('add'):receive()", "counter")
    bench.entries.append(
        {
            "name": id.removeprefix("app:"),
            "kind": "process.service",
            "process": "app:counter",
            "host": "app:worker",
            "input": [40],
            "lifecycle": QUICK,
        }
    )
    runs = []
    for _ in range(2):
        async with serving(bench) as running:
            handle = running.clients["app:temporal"].get_workflow_handle(id)
            runs.append((await handle.describe()).run_id)
    assert runs[0] == runs[1], "the second application found the run of the first"
    async with serving(bench) as running:
        handle = running.clients["app:temporal"].get_workflow_handle(id)
        await handle.signal("add", 2)
        assert await handle.result() == 42


async def test_a_workflow_that_fails_is_started_again(bench: Bench) -> None:
    id = f"app:service-{bench.queue}"
    bench.workflow("process.listen('break'):receive() error('broken')", "frail")
    bench.entries.append(
        {
            "name": id.removeprefix("app:"),
            "kind": "process.service",
            "process": "app:frail",
            "host": "app:worker",
            "lifecycle": QUICK,
        }
    )
    async with serving(bench) as running:
        await _breaks_and_comes_back(running, id)


async def _breaks_and_comes_back(running: Serving, id: str) -> None:
    handle = running.clients["app:temporal"].get_workflow_handle(id)
    first = (await handle.describe()).run_id
    await handle.signal("break")
    while (await handle.describe()).run_id == first:
        await asyncio.sleep(0.05)
