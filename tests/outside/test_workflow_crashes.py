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
from temporalio.client import Client
from workflow_bench import as_module

from fleet.activity import Functions
from fleet.process import Node
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
WAITING = """
local n = ...
local events, inbox = process.events(), process.inbox()
time.sleep(("%dms"):format(n * 37 % 400))
local got = channel.select{events:case_receive(), inbox:case_receive()}
if got.channel == events then return {n = n, canceled = got.value.reason} end
return {n = n, told = got.value:payload():data()}
"""
PARENT = """
local count, run = ...
local events, pids, ends = process.events(), {}, {}
for n = 1, count do
    local spawner = process.with_options({["workflow.task_timeout"] = "1s"}):with_name(run .. "-" .. n)
    if n % 3 == 0 then spawner = spawner:with_message("at once", n) end
    pids[n] = assert(spawner:spawn_monitored("app:waiting", "app:worker", n))
    time.sleep("30ms")
end
for n = 1, count do
    if n % 3 == 1 then assert(process.cancel(pids[n], "reason " .. n)) end
    if n % 3 == 2 then assert(process.send(pids[n], "later", n)) end
    time.sleep("30ms")
end
for i = 1, count do
    local event = events:receive()
    ends[i] = {pid = event.from, kind = event.kind, value = event.result.value}
end
local more = channel.select{events:case_receive(), time.after("200ms"):case_receive()}
return {pids = pids, ends = ends, quiet = more.channel ~= events}
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


async def test_each_workflow_has_one_exit(bench: Any) -> None:
    """A function spawns, cancels and tells workflows whose worker is killed, and collects how they end."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    count, run = 24, f"waiting-{uuid.uuid4().hex[:8]}"
    bench.workflow(WAITING, "waiting", modules="time channel")
    bench.function(as_module(PARENT), "parent", modules="time channel")
    app = bench.load()
    done = asyncio.Event()
    worker = asyncio.create_task(killed_again_and_again(bench, random.Random(seed), done))

    async def connect(_: str) -> Client:
        return await Client.connect(bench.address)

    try:
        async with Functions.open(app) as functions, Node(functions, connect):
            got = await functions.call_json("app:parent", [count, run])
    finally:
        done.set()
        assert await worker >= 1
    assert got["quiet"]
    ends = {end["pid"]: end for end in got["ends"]}
    assert sorted(ends) == sorted(got["pids"])
    for n, pid in enumerate(got["pids"], 1):
        expected = {0: {"told": n}, 1: {"canceled": f"reason {n}"}, 2: {"told": n}}[n % 3]
        assert ends[pid] == {"pid": pid, "kind": "pid.exit", "value": {"n": n, **expected}}
