"""Clients start workflows and send to them while their worker is killed again and again: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import uuid
from pathlib import Path
from typing import Any

from outside import Outside

from fleet.process.workflow_control import Started

LEDGER = """
local seen = ... or {}
local inbox = process.inbox()
for _ = 1, 12 do
    local msg = inbox:receive()
    if msg:topic() == "finish" then return seen end
    seen[#seen + 1] = msg:payload():data()
end
workflow.continue_as_new(seen)
"""
WORKER = Path(__file__).parents[1] / "workflow" / "worker_process.py"
CLIENTS, ROUNDS, KILLS = 4, 12, 4
TASK_TIMEOUT = 1_000_000_000


async def killed_again_and_again(bench: Any, chance: random.Random, done: asyncio.Event) -> int:
    """Run workers one after the other; each is killed after a moment, the last when `done` is set. How many died."""
    for kills in itertools.count():
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(WORKER), str(bench.root), bench.address, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            assert await process.stdout.readline() == b"ready\n"
            moment = chance.uniform(0.2, 1.0) if kills < KILLS else None
            try:
                await asyncio.wait_for(done.wait(), moment)
            except TimeoutError:
                continue
            return kills
        finally:
            process.kill()
            await process.wait()
    raise AssertionError("unreachable")


async def client(outside: Outside, chance: random.Random, names: list[str], number: int) -> dict[str, list[list[str]]]:
    """Start by name and send, at random; what was sent, by workflow: a list of what has to stay together."""
    sent: dict[str, list[list[str]]] = {}
    serial = itertools.count()
    for _ in range(ROUNDS):
        name = chance.choice(names)
        group = [f"{number}-{next(serial)}" for _ in range(chance.choice([1, 1, 2, 5]))]
        messages = [("add", [word]) for word in group]
        started = await outside.start(name=name, messages=messages, task_timeout=TASK_TIMEOUT)
        sent.setdefault(name, []).append(group)
        if chance.random() < 0.5:
            word = f"{number}-{next(serial)}"
            await outside.send(started, "add", word)
            sent[name].append([word])
        await asyncio.sleep(chance.uniform(0, 0.2))
    return sent


async def test_nothing_is_lost_or_doubled(bench: Any) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    bench.workflow(LEDGER, modules="workflow")
    outside = Outside(bench.load(), bench.address)
    names = [f"ledger-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    done = asyncio.Event()
    worker = asyncio.create_task(killed_again_and_again(bench, random.Random(seed), done))
    clients = [client(outside, random.Random(seed + n), names, n) for n in range(1, CLIENTS + 1)]
    try:
        everything = await asyncio.gather(*clients)
        for name in names:
            started = Started("app:temporal", name, "")
            watching = asyncio.create_task(outside.result(started))
            await outside.send(started, "finish")
            seen = await watching
            for sent in everything:
                groups = sent.get(name, [])
                flat = [word for group in groups for word in group]
                mine = set(flat)
                assert [word for word in seen if word in mine] == flat
                for group in groups:
                    at = seen.index(group[0])
                    assert seen[at : at + len(group)] == group
            assert len(seen) == sum(len(group) for sent in everything for group in sent.get(name, []))
    finally:
        done.set()
        assert await worker >= 1
