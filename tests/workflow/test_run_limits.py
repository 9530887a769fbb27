"""Scripts without end or bound cost their own workflow task, with the Lua traceback, and nothing else (decision 11)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bare_run import BareRun, TaskFailed, result

from fleet.workflow import Limits

SMALL = Limits(memory=8 << 20, instructions=2_000_000, seconds=1.0)

ENDLESS = {
    "loop": "while true do end",
    "loop in pcall": "while true do pcall(function() while true do end end) end",
    "loop in a coroutine": "coroutine.wrap(function() while true do end end)()",
    "loop in a spawned coroutine": "coroutine.spawn(function() while true do end end)",
    "yielding loop": "while true do coroutine.yield() end",
    "pattern": "return (('a'):rep(40)):find(('a*'):rep(20) .. 'b')",
    "table.move": "local t = {} for i = 1, 1e9 do table.move(t, 1, 1e8, 2, {}) end",
    "string.rep": "while true do local s = ('x'):rep(1e6) end",
    "table.concat": "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1000) end while true do table.concat(t) end",
    "table.sort": "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.sort(t) end",
    "table.unpack": "local t = {} for i = 1, 200 do t[i] = i end while true do table.unpack(t) end",
    "goto": "::again:: goto again",
    "json": "local t = {} for i = 1, 1e4 do t[i] = i end while true do json.encode(t) end",
    "two coroutines that keep each other busy": "local a, b = channel.new(), channel.new() "
    "coroutine.spawn(function() while true do b:send(a:receive()) end end) while true do a:send(1) b:receive() end",
    "gsub callback": "while true do (('x'):rep(1000)):gsub('x', function() end) end",
}
UNBOUNDED = {
    "table": "local t = {} while true do t[#t + 1] = {} end",
    "string": "local s = 'x' while true do s = s .. s end",
    "one string": "return ('x'):rep(1e10)",
    "one table": "return table.move({}, 1, 2^40, 2)",
    "in pcall": "local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(1000) .. #t end end) end",
}
RECURSION = {
    "direct": "local function f() return 1 + f() end return f()",
    "in pcall": "local function f() pcall(f) f() end f()",
    "in tostring": "local t = setmetatable({}, {}) getmetatable(t).__tostring = function() return tostring(t) .. 'x' end return tostring(t)",
    "in sort": "local function f(a, b) table.sort({2, 1}, f) return a < b end table.sort({2, 1}, f)",
    "metamethod": "local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k + 1] end return t[1]",
    "coroutines": "local function f() return coroutine.wrap(f)() end return f()",
}


def failure(bench: Any, body: str, limits: Limits = SMALL) -> Any:
    bench.workflow(body, modules="json time")
    run = BareRun(bench.load(), limits=limits)
    with pytest.raises(TaskFailed) as caught:
        run.start()
    run.close()
    return caught.value.failure


@pytest.mark.parametrize("case", ENDLESS)
def test_endless(bench: Any, case: str) -> None:
    failed = failure(bench, ENDLESS[case])
    assert "budget" in failed.message or "memory" in failed.message, failed.message
    assert "stack traceback:" in failed.stack_trace and "wf.lua:2" in failed.stack_trace


@pytest.mark.parametrize("case", UNBOUNDED)
def test_unbounded(bench: Any, case: str) -> None:
    failed = failure(bench, UNBOUNDED[case], Limits(memory=8 << 20))
    assert "memory" in failed.message or "budget" in failed.message, failed.message


@pytest.mark.parametrize("case", RECURSION)
def test_recursion_without_end(bench: Any, case: str) -> None:
    failed = failure(bench, RECURSION[case], Limits(memory=32 << 20))
    assert any(word in failed.message for word in ("stack", "memory", "budget")), failed.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('require("nothere")', "module 'nothere' not found"),
        ('require("uuid")', "module 'uuid' not found: add it to the entry's `modules:` (app:wf)"),
        ('io.open("x")', "io"),
        ('os.getenv("HOME")', "os.getenv"),
        ("string.dump(print)", "string.dump"),
        ("setmetatable({}, {__gc = print})", "__gc"),
        ('setmetatable({}, {__mode = "k"})', "__mode"),
        ('dofile("x")', "dofile"),
    ],
)
def test_what_the_sandbox_has_not_fails_the_task_and_says_where(bench: Any, body: str, message: str) -> None:
    failed = failure(bench, "\n" + body)
    assert message in failed.message and "wf.lua:3" in failed.message + failed.stack_trace


def test_bytecode_is_not_loaded(bench: Any) -> None:
    bench.workflow('local chunk, err = load("\\27Lua") return {chunk == nil, err}')
    refused, text = result(BareRun(bench.load()).start())
    assert (refused and "binary" in text) or "bytecode" in text


def test_run_that_failed_its_task_does_so_again(bench: Any) -> None:
    bench.workflow("while true do end")
    run = BareRun(bench.load(), limits=SMALL)
    for _ in range(2):
        with pytest.raises(TaskFailed):
            run.start()


def test_budget_is_per_task(bench: Any) -> None:
    bench.workflow("for i = 1, 5 do for j = 1, 3e5 do end time.sleep('1s') end return 'done'", modules="time")
    run = BareRun(bench.load(), limits=SMALL)
    run.start()
    for seq in range(1, 5):
        run.fire(seq)
    assert result(run.fire(5)) == "done"


async def test_bad_run_fails_its_task_while_others_complete_and_a_fix_lets_it_go_on(bench: Any) -> None:
    bench.workflow("time.sleep('100ms')\nwhile true do end", name="bad", modules="time")
    bench.workflow(
        "local n = 0 for i = 1, 3 do time.sleep('200ms') n = n + i end return n", name="good", modules="time"
    )
    bench.workflow(
        "time.sleep('10ms')\nlocal t = {} while true do t[#t + 1] = ('x'):rep(2^16) .. #t end",
        name="hungry",
        modules="time",
    )
    bench.workflow("time.sleep('10ms')\nrequire('nothere')", name="lost", modules="time")
    async with bench.serving(bench.load()) as serving:
        bad = {name: await bench.start(serving, name=name) for name in ("bad", "hungry", "lost")}
        outcome = await bench.outcome(await bench.start(serving, name="good"))
        assert outcome.result == 6
        failures = {name: (await bench.event(handle, "workflow_task_failed")).failure for name, handle in bad.items()}
    assert "budget" in failures["bad"].message and "bad.lua:3" in failures["bad"].stack_trace
    assert "memory" in failures["hungry"].message and "hungry.lua:3" in failures["hungry"].stack_trace
    assert "module 'nothere' not found" in failures["lost"].message and "lost.lua:3" in failures["lost"].stack_trace
    for name in bad:
        app = bench.deploy(
            "time.sleep('10ms')\nreturn 'fixed'" if name != "bad" else "time.sleep('100ms') return 'fixed'", name
        )
    async with bench.serving(app):
        outcomes = await asyncio.gather(*(bench.outcome(handle) for handle in bad.values()))
    assert [outcome.result for outcome in outcomes] == ["fixed"] * 3
