"""An order survives kill -9 of its worker. Run it with: make demo"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from temporalio.client import Client, WorkflowExecutionStatus

from fleet.server import EmbeddedServer, default_data_file

HERE = Path(__file__).parent
ORDER = {
    "id": "1001",
    "total": 25,
    "customer_id": "c-7",
    "shipping_address": "1 Main Street",
    "wait": "8s",
}
console = Console(highlight=False, soft_wrap=True)
say = console.print


def start_worker(address: str, ledger: Path) -> subprocess.Popen[str]:
    """A worker process of its own, up and polling."""
    worker = subprocess.Popen(
        [sys.executable, HERE / "worker.py"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TEMPORAL_ADDRESS": address, "ORDERS_LEDGER": str(ledger)},
    )
    assert worker.stdout is not None
    say(f"[bold]worker[/]   {worker.stdout.readline().strip() or 'did not start'}")
    return worker


def kill(worker: subprocess.Popen[str]) -> None:
    """kill -9, and reap."""
    worker.send_signal(signal.SIGKILL)
    worker.wait()


def entries(ledger: Path) -> list[dict[str, str]]:
    """What the activities wrote: a JSON list in a variable of a dotenv file."""
    text = ledger.read_text().strip().removeprefix("LEDGER=")
    recorded: list[dict[str, str]] = json.loads(json.loads(text))
    return recorded


async def charged(client: Client, workflow_id: str) -> None:
    """Wait until the payment is in the history and the timer runs."""
    async for event in client.get_workflow_handle(workflow_id).fetch_history_events(wait_new_event=True):
        if event.HasField("timer_started_event_attributes"):
            return


async def main() -> int:
    """Run the demonstration; the exit code says whether the order completed."""
    ledger = Path(tempfile.mkdtemp(prefix="lua-fleet-demo-")) / "ledger.env"
    async with EmbeddedServer.start(data_file=default_data_file(HERE), ui=True) as server:
        say(f"[bold]server[/]   Temporal at {server.address}, web UI at {server.ui_url}")
        worker = start_worker(server.address, ledger)
        try:
            workflow_id = f"order-{ORDER['id']}-{os.getpid()}"
            handle = await server.client.start_workflow(
                "app:order_workflow", ORDER, id=workflow_id, task_queue="orders", execution_timeout=timedelta(minutes=5)
            )
            say(f"[bold]order[/]    started as {workflow_id}: charge, sleep {ORDER['wait']}, ship")
            await charged(server.client, workflow_id)
            say("[bold]order[/]    charged, now asleep")
            kill(worker)
            say(f"[bold red]worker[/]   {worker.pid} killed with kill -9 in the middle of the sleep")
            worker = start_worker(server.address, ledger)
            result = await handle.result()
            status = (await handle.describe()).status
        finally:
            kill(worker)
        say(f"[bold green]order[/]    {json.dumps(result)}")
        say("[bold]ledger[/]   on disk, every step once:")
        for entry in entries(ledger):
            say(f"           {entry['key']:<12} {entry['action']}")
        say(f"[bold]history[/]  {server.workflow_url(workflow_id, handle.result_run_id or '')}")
        say("         (the page is there while a server runs on this data: fleet dev examples/orders)")
        return 0 if status == WorkflowExecutionStatus.COMPLETED and result["status"] == "completed" else 1


code = asyncio.run(main())
sys.stdout.flush()
os._exit(code)
