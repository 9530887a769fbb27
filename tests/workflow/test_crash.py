"""Runs survive `kill -9` of their worker, in the middle of a sleep and between any two workflow tasks."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from temporalio.client import WorkflowExecutionStatus

ORDER = """
local function main(order)
    local payment, err = funcs.call("app:charge", {amount = order.total})
    if err then return {status = "failed", error = tostring(err)} end
    time.sleep("2s")
    local shipment, err = funcs.call("app:ship", {order_id = order.id})
    if err then
        funcs.call("app:refund", payment.id)
        return {status = "failed", error = tostring(err)}
    end
    return {status = "completed", payment_id = payment.id, tracking = shipment.tracking}
end
return { main = main }
"""


class Ledger:
    """What the activities have booked, kept where no worker's death can reach it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Serve it; the address."""

        async def book(request: web.Request) -> web.Response:
            self.lines.append(await request.text())
            return web.Response(text=str(len(self.lines)))

        application = web.Application()
        application.router.add_post("/", book)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


def order_application(bench: Any, ledger: str) -> None:
    for name, answer in (
        ("charge", "{id = 'p-' .. n}"),
        ("ship", "{tracking = 'T-' .. p.order_id}"),
        ("refund", "true"),
    ):
        bench.function(
            f"""
        local http = require("http_client")
        return {{ main = function(p)
            local response, err = http.post("{ledger}", {{body = "{name}"}})
            if err then return nil, err end
            local n = response.body
            return {answer}
        end }}
        """,
            name,
            modules="http_client",
            meta={"options": {"activity.start_to_close_timeout": "2s"}},
        )
    bench.workflow(ORDER, modules="funcs time")


@asynccontextmanager
async def worker(bench: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process that polls; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent / "worker_process.py"),
        str(bench.root),
        bench.address,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def start(bench: Any) -> Any:
    client = await bench.client()
    # A task that died with its worker is given out again after this time; the default is 10 s.
    return await client.start_workflow(
        "app:wf",
        {"id": 7, "total": 5},
        id=f"order-{bench.queue}",
        task_queue=bench.queue,
        task_timeout=timedelta(seconds=1),
        execution_timeout=timedelta(seconds=90),
    )


async def test_kill_in_the_middle_of_the_sleep(bench: Any) -> None:
    ledger = Ledger()
    async with ledger.open() as address:
        order_application(bench, address)
        app = bench.load()
        async with worker(bench) as first:
            handle = await start(bench)
            await bench.event(handle, "timer_started")
            first.send_signal(signal.SIGKILL)
            assert await first.wait() == -signal.SIGKILL
        assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
        async with worker(bench):
            outcome = await bench.outcome(handle)
    assert outcome.result == {"status": "completed", "payment_id": "p-1", "tracking": "T-7"}
    assert ledger.lines == ["charge", "ship"]
    await bench.replay(app, outcome)


async def test_kill_between_any_two_workflow_tasks(bench: Any) -> None:
    ledger = Ledger()
    async with ledger.open() as address:
        order_application(bench, address)
        app = bench.load()
        handle = await start(bench)
        for tasks in (1, 2, 3):  # the charge scheduled; the timer started; the shipment scheduled
            async with worker(bench) as process:
                await bench.event(handle, "workflow_task_completed", tasks)
                process.kill()
                await process.wait()
        async with worker(bench):
            outcome = await bench.outcome(handle)
    assert outcome.result["status"] == "completed"
    # An activity that its worker took to the grave before it could report is made again.
    assert sorted(set(ledger.lines)) == ["charge", "ship"] and "refund" not in ledger.lines
    await bench.replay(app, outcome)
