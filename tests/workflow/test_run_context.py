"""Context values: from the header of the start to the run and on to its activities (lua_api.md 6)."""

from __future__ import annotations

from typing import Any

import pytest
from bare_run import BareRun, decoded, encoded, result
from temporalio.api.common.v1 import Payload

HEADER = "lua-fleet-context"


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="ctx funcs")
    return BareRun(bench.load())


def test_values_of_the_header(bench: Any) -> None:
    run = bare(
        bench,
        "local v, err = ctx.get('user') local all, nothing = ctx.all() return {v, err == nil, all, nothing == nil}",
    )
    values = {"user": "u1", "n": 4, "t": {"a": [1]}}
    assert result(run.start(headers={HEADER: encoded(values)})) == ["u1", True, values, True]


def test_no_header_is_no_values(bench: Any) -> None:
    run = bare(
        bench, "local v, err = ctx.get('user') return {v == nil, err:kind(), err:message(), next(ctx.all()) == nil}"
    )
    assert result(run.start()) == [True, "NOT_FOUND", "key not found: user", True]


def test_empty_key_is_invalid_and_other_types_raise(bench: Any) -> None:
    run = bare(
        bench,
        """
    local v, err = ctx.get("")
    local ok, raised = pcall(function() local x = ctx.get(7) end)
    return {err:kind(), ok, raised}
    """,
    )
    kind, ok, raised = result(run.start())
    assert (
        kind == "INVALID"
        and not ok
        and raised.endswith("wf.lua:4: bad argument #1 to 'get' (string expected, got number)")
    )


def test_values_are_copies(bench: Any) -> None:
    run = bare(bench, "ctx.get('t').a = 2 ctx.all().t.a = 3 return ctx.get('t').a")
    assert result(run.start(headers={HEADER: encoded({"t": {"a": 1}})})) == 1


@pytest.mark.parametrize("payload", [Payload(metadata={"encoding": b"x"}, data=b"y"), encoded("text"), encoded(None)])
def test_header_that_is_no_table_is_no_values(bench: Any, payload: Payload) -> None:
    assert result(bare(bench, "return next(ctx.all()) == nil").start(headers={HEADER: payload})) is True


def test_activities_get_the_values_and_with_context_wins(bench: Any) -> None:
    run = bare(
        bench,
        """
    funcs.async("app:a")
    funcs.new():with_context({user = "u2", extra = true}):with_context({more = 1}):async("app:b")
    """,
    )
    a, b, _ = run.start(headers={HEADER: encoded({"user": "u1", "tenant": "t"})})
    assert decoded(a.schedule_activity.headers[HEADER]) == {"user": "u1", "tenant": "t"}
    assert decoded(b.schedule_activity.headers[HEADER]) == {"user": "u2", "tenant": "t", "extra": True, "more": 1}


def test_no_values_no_header(bench: Any) -> None:
    command, _ = bare(bench, "funcs.async('app:a')").start()
    assert HEADER not in command.schedule_activity.headers


def test_context_that_cannot_be_sent_is_invalid(bench: Any) -> None:
    run = bare(
        bench,
        """
    local v, err = funcs.new():with_context({f = {print}}):call("app:a")
    return {v == nil, err:kind(), err:message()}
    """,
    )
    refused, kind, text = result(run.start())
    assert refused and kind == "INVALID" and text.startswith("the context cannot be sent: ")


async def test_values_reach_an_activity_on_a_server(bench: Any) -> None:
    bench.function("return { main = function() return require('ctx').all() end }", "work", modules="ctx")
    bench.workflow(
        """
    local plain = funcs.call("app:work")
    local with = funcs.new():with_context({user = "u1", n = 3}):call("app:work")
    return {next(plain) == nil, with}
    """,
        modules="funcs",
    )
    assert (await bench.run()).result == [True, {"user": "u1", "n": 3}]
