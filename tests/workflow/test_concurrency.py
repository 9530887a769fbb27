"""Coroutines, channels, select and timers in workflows (lua_api.md 3 and 4; workflows.ja.md, 並行処理)."""

from __future__ import annotations

from typing import Any

import pytest
from bare_run import BareRun, result, variants
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="time funcs")
    return BareRun(bench.load())


def fired(*seqs: int) -> list[WorkflowActivationJob]:
    jobs = []
    for seq in seqs:
        job = WorkflowActivationJob()
        job.fire_timer.seq = seq
        jobs.append(job)
    return jobs


def test_coroutines_wake_in_the_order_of_the_jobs(bench: Any) -> None:
    run = bare(
        bench,
        """
    local order = channel.new(3)
    for i = 1, 3 do coroutine.spawn(function() time.sleep("1s") order:send(i) end) end
    return {(order:receive()), (order:receive()), (order:receive())}
    """,
    )
    assert variants(run.start()) == ["start_timer"] * 3
    assert result(run.activate(*fired(3, 1, 2))) == [3, 1, 2]


def test_main_function_ends_the_run_with_all_its_coroutines(bench: Any) -> None:
    run = bare(bench, "coroutine.spawn(function() time.sleep('1h') error('never') end) return 'done'")
    assert variants(run.start()) == ["start_timer", "complete_workflow_execution"]


def test_error_in_any_coroutine_fails_the_run(bench: Any) -> None:
    run = bare(bench, "coroutine.spawn(function() time.sleep('1s') error('late') end) channel.new():receive()")
    run.start()
    (command,) = run.fire(1)
    assert command.fail_workflow_execution.failure.message.endswith("wf.lua:2: late")


def test_all_blocked_for_ever_stays_idle(bench: Any) -> None:
    assert bare(bench, "channel.new():receive()").start() == []


def test_select_with_a_timeout(bench: Any) -> None:
    run = bare(
        bench,
        """
    local ch, timeout = channel.new(), time.after("5s")
    local r = channel.select{ch:case_receive(), timeout:case_receive()}
    return {r.channel == timeout, r.ok}
    """,
    )
    assert variants(run.start()) == ["start_timer"]
    assert result(run.fire(1)) == [True, True]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("local ch = channel.new(1) ch:send(nil) local v, ok = ch:receive() return {v == nil, ok}", [True, True]),
        (
            "local ch = channel.new() ch:close() ch:close() local v, ok = ch:receive() return {v == nil, ok}",
            [True, False],
        ),
        (
            "local ch = channel.new() ch:close() local ok, err = pcall(ch.send, ch, 1) return {ok, tostring(err)}",
            [False, "send on closed channel"],
        ),
        (
            "local r = channel.select{channel.new():case_receive(), default = true} return {r.default, r.ok, r.channel == nil}",
            [True, True, True],
        ),
        ("local r = channel.select({channel.new():case_receive()}, true) return r.default", True),
        (
            "local a, b = channel.new(1), channel.new(1) a:send(1) b:send(2) "
            "return channel.select{b:case_receive(), a:case_receive()}.value",
            2,
        ),
        (
            "local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) "
            "local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 5) return {x, y, coroutine.status(co)}",
            [2, 10, "dead"],
        ),
    ],
)
def test_channels_and_coroutines(bench: Any, body: str, expected: Any) -> None:
    assert result(bare(bench, body).start()) == expected


def test_sleep_inside_a_manual_coroutine_waits_for_the_server(bench: Any) -> None:
    run = bare(
        bench,
        """
    local co = coroutine.wrap(function() coroutine.yield("a") time.sleep("1s") return "b" end)
    return {co(), co()}
    """.replace("{co(), co()}", "{(co()), (co())}"),
    )
    assert variants(run.start()) == ["start_timer"]
    assert result(run.fire(1)) == ["a", "b"]


@pytest.mark.parametrize(
    "code",
    [
        "table.sort({2, 1}, function(a, b) time.sleep('1s') return a < b end)",
        "('x'):gsub('x', function() time.sleep('1s') end)",
        "tostring(setmetatable({}, {__tostring = function() time.sleep('1s') return 'x' end}))",
    ],
)
def test_blocking_where_it_cannot_says_so(bench: Any, code: str) -> None:
    run = bare(bench, f"local ok, err = pcall(function() local x = {code} end) return {{ok, tostring(err)}}")
    ok, text = result(run.start())
    assert not ok and "cannot wait here" in text
