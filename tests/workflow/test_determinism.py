"""What a workflow does depends on its code, its history and its start alone (decisions 4 to 6): the same commands come
from a replay in another process with another hash seed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from bare_run import START, BareRun, decoded, result

EVERYTHING = """
local time, uuid, funcs = require("time"), require("uuid"), require("funcs")
local out = {}
local function note(...) for _, v in ipairs({...}) do out[#out + 1] = tostring(v) end end

local keys = {}
local objects = {{}, function() end, coroutine.create(function() end), errors.new("e"), channel.new()}
local t = {x = 1, [2.5] = 2, [true] = 3, ["日本"] = 4, [10] = 5, [-1] = 6, z = 7, a = 8, [objects[5]] = 9, [objects[1]] = 10}
for i = 1, 40 do t["key" .. i * 7919 % 41] = i end
for k in pairs(t) do note(k) end
for k in next, {b = 1, a = 2, c = 3} do note(k) end
for _, o in ipairs(objects) do note(o, string.format("%p", o), string.format("%s", o)) end
note(math.random(), math.random(100), math.random(-5, 5), uuid.v4(), uuid.v7())
math.randomseed(42)
note(math.random(1000))
local rows = {}
for i = 1, 50 do rows[i] = {rank = i % 3, n = i} end
table.sort(rows, function(a, b) return a.rank < b.rank end)
for _, r in ipairs(rows) do note(r.n) end
local before = time.now():unix_nano()
for i = 1, 10000 do end
note(before == time.now():unix_nano(), os.time() == time.now():unix(), os.date("!%Y") == time.now():format("2006"))
note(collectgarbage("count"))
note(os.clock())
local answer = funcs.call("app:work", out)
time.sleep(math.random(10, 20))
note(time.now():unix_nano() > before, uuid.v4(), math.random(1 << 40))
local again = funcs.call("app:work", out)
return out
"""


async def replay_elsewhere(bench: Any, history: str, hash_seed: str, tmp_path: Path) -> list[Any]:
    """The commands of a replay in a process of its own."""
    path = tmp_path / "history.json"
    path.write_text(history)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent / "replay_process.py"),
        str(bench.root),
        str(path),
        bench.queue,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": "/nonexistent"},
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return list(json.loads(out))


async def test_replays_elsewhere_give_the_commands_of_the_run(bench: Any, tmp_path: Path) -> None:
    bench.function("return { main = function(x) return #x end }", "work")
    bench.workflow(EVERYTHING, modules="time uuid funcs")
    outcome = await bench.run(same=False)
    history = outcome.history.to_json()
    elsewhere = [await replay_elsewhere(bench, history, seed, tmp_path) for seed in ("1", "31337")]
    assert elsewhere[0] == elsewhere[1]
    # What the run itself sent is in the history.
    replayed = [
        command["scheduleActivity"]["arguments"]
        for task in elsewhere[0]
        for command in task.get("commands", [])
        if "scheduleActivity" in command
    ]
    recorded = [decoded(event.input.payloads[0]) for event in outcome.attributes("activity_task_scheduled")]
    assert [decoded_dict(arguments[0]) for arguments in replayed] == recorded
    completed = [
        command["completeWorkflowExecution"]["result"]
        for task in elsewhere[0]
        for command in task.get("commands", [])
        if "completeWorkflowExecution" in command
    ]
    assert [decoded_dict(value) for value in completed] == [outcome.result]


def decoded_dict(payload: dict[str, Any]) -> Any:
    """The value of a JSON payload that was printed as a dict."""
    import base64

    return json.loads(base64.b64decode(payload["data"]))


def bare(bench: Any, body: str, **options: Any) -> BareRun:
    bench.workflow(body, modules="time uuid")
    return BareRun(bench.load(), **options)


def test_random_numbers_come_from_the_seed_of_the_run(bench: Any) -> None:
    bench.workflow("return {math.random(1 << 50), uuid.v4()}", modules="uuid")
    app = bench.load()
    first, same, other = (result(BareRun(app, seed=seed).start()) for seed in (1, 1, 2))
    assert first == same and first[0] != other[0] and first[1] != other[1]


def test_new_seed_after_a_reset_is_applied(bench: Any) -> None:
    from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob

    def run(seed: int | None) -> int:
        run = BareRun(app)
        run.start()
        job, timer = WorkflowActivationJob(), WorkflowActivationJob()
        timer.fire_timer.seq = 1
        job.update_random_seed.randomness_seed = seed or 0
        return int(result(run.activate(job, timer) if seed else run.activate(timer)))

    bench.workflow("time.sleep('1s') return math.random(1 << 50)", modules="time")
    app = bench.load()
    assert run(5) == run(5) != run(6) != run(None)


def test_clock_stands_still_in_a_task_and_is_the_tasks(bench: Any) -> None:
    run = bare(
        bench,
        """
    local a = time.now():unix()
    for i = 1, 1e6 do end
    local b = time.now():unix()
    time.sleep("1s")
    return {a, b, time.now():unix(), os.time()}
    """,
    )
    run.start()
    assert result(run.fire(1)) == [START, START, START + 1, START + 1]


@pytest.mark.parametrize("order", [[3, 1, 2], [1, 2, 3], [2, 3, 1]])
def test_pairs_does_not_depend_on_the_order_of_insertion(bench: Any, order: list[int]) -> None:
    run = bare(
        bench,
        """
    local t, seen = {}, {}
    for _, n in ipairs(...) do t["k" .. n] = n t[n] = n end
    for k in pairs(t) do seen[#seen + 1] = tostring(k) end
    return seen
    """,
    )
    assert result(run.start(order)) == ["1", "2", "3", "k1", "k2", "k3"]


def test_print_during_replay_is_silent_but_formats_its_arguments(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "fleet.script")
    body = """
    local n = 0
    local t = setmetatable({}, {__tostring = function() n = n + 1 return "shown" end})
    print("value", t, nil, 1.5)
    return n
    """
    run = bare(bench, body)
    assert result(run.start(replaying=True)) == 1
    assert not [r for r in caplog.records if r.name == "fleet.script"]
    assert result(BareRun(bench.load()).start()) == 1
    assert [r.getMessage() for r in caplog.records if r.name == "fleet.script"] == ["value shown nil 1.5"]
