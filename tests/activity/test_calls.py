"""Calls of Lua functions on asyncio (spec/activities.md, section 2; spec/lua_api.md, sections 4 to 6)."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload

from fleet.activity import FunctionFailed, Functions, payloads


async def failure(functions: Functions, name: str, *args: Any) -> Any:
    with pytest.raises(FunctionFailed) as caught:
        await functions.call_json(f"app:{name}", args)
    return caught.value.error


# ---- values, results, errors


async def test_values_keep_their_types(functions_of: Any) -> None:
    functions = functions_of(echo="return ...")
    for value in (None, True, 5, 2**53 + 1, -(2**63), 1.5, "ü\n", [1, [2, {"a": None}]], {"b": {"c": []}}, b"\xff\x00"):
        got = await functions.call_json("app:echo", [value])
        assert got == (
            {"b": {"c": []}} if isinstance(value, dict) else [1, [2, {}]] if value == [1, [2, {"a": None}]] else value
        )


async def test_only_the_first_result_travels(functions_of: Any) -> None:
    functions = functions_of(
        two="return 1, nil",
        other="return 'x', 5",
        none="",
        text="return nil, 'went wrong'",
        handler="return {err = (function() return errors.new('kept') end)(), ok = 1}",
    )
    assert await functions.call_json("app:two") == 1
    assert await functions.call_json("app:other") == "x"
    assert await functions.call_json("app:none") is None
    error = await failure(functions, "text")
    assert (error.kind, error.message, error.retryable) == ("INTERNAL", "went wrong", False)
    assert not error.thrown
    assert await functions.call_json("app:handler") == {"err": "kept", "ok": 1}


async def test_error_objects_keep_everything(functions_of: Any) -> None:
    functions = functions_of(
        fail="""
        error(errors.new{message = 'no money', kind = 'PermissionDenied', retryable = true, details = {balance = 3}})
    """
    )
    error = await failure(functions, "fail")
    assert (error.kind, error.message, error.retryable, error.details) == (
        "PERMISSION_DENIED",
        "no money",
        True,
        {"balance": 3},
    )
    assert "fail.lua:3" in error.stack


async def test_thrown_text_is_internal_and_may_be_retried(functions_of: Any) -> None:
    functions = functions_of(
        fail="local t = nil\n return t.x",
        tables="error({code = 1})",
        spawned="""
        coroutine.spawn(function() time.sleep(1) error('in a coroutine') end)
        channel.new():receive()
    """,
    )
    error = await failure(functions, "fail")
    assert (error.kind, error.retryable, error.thrown) == ("INTERNAL", False, True)
    assert error.message.startswith("fail.lua:3: attempt to index a nil value")
    assert (await failure(functions, "tables")).message == "error object is a table"
    assert (await failure(functions, "spawned")).message == "spawned.lua:3: in a coroutine"


async def test_result_that_cannot_be_sent(functions_of: Any) -> None:
    functions = functions_of(fail="return {a = {1, function() end}}")
    error = await failure(functions, "fail")
    assert error.kind == "INVALID"
    assert error.message.startswith("the result cannot be sent: ") and ".a[2]" in error.message


async def test_argument_that_cannot_be_read(functions_of: Any) -> None:
    functions = functions_of(echo="return 1")
    secret = Payload(metadata={"encoding": b"binary/encrypted"}, data=b"?").SerializeToString()
    with pytest.raises(FunctionFailed) as caught:
        await functions.call("app:echo", [payloads.encode(1), secret])
    assert caught.value.error.kind == "INVALID"
    assert str(caught.value) == "argument 2 cannot be read: the encoding is not supported (encoding binary/encrypted)"


async def test_unknown_and_unfit_ids(functions_of: Any) -> None:
    functions = functions_of(
        extra="""  - name: flow
    kind: workflow.lua
    source: "return function() end"
    meta: {temporal: {workflow: {worker: "app:worker"}}}
  - name: actor
    kind: process.lua
    source: "return function() end"
""",
        caller="""
        local function e(v, err) return {err:kind(), err:message(), err:retryable()} end
        local id = ...
        return e(require('funcs').call(id))
    """,
    )
    error = await failure(functions, "nowhere")
    assert (error.kind, error.message, error.retryable) == (
        "NOT_FOUND",
        "no handler registered for target app:nowhere",
        False,
    )
    assert (await functions.call_json("app:caller", ["app:nowhere"]))[:2] == ["NOT_FOUND", error.message]
    assert await functions.call_json("app:caller", ["app:flow"]) == [
        "INVALID",
        "app:flow is a workflow, not a function: start it with process.spawn or process.exec",
        False,
    ]
    assert await functions.call_json("app:caller", ["app:actor"]) == [
        "INVALID",
        "app:actor is a process, not a function: start it with process.spawn",
        False,
    ]
    assert (await functions.call_json("app:caller", [""]))[0] == "INVALID"


async def test_programs_that_do_not_load(functions_of: Any) -> None:
    functions = functions_of(
        syntax="if",
        body="return { main = error('in the body') }",
        method="do return {} end -- return { main",
        number="do return 5 end -- return { main",
        sleeps="require('time').sleep(1) return { main = 1 }",
    )
    for name, text in {
        "syntax": "syntax.lua:3: ",
        "body": "in the body",
        "method": 'method "main" not found in module',
        "number": "returns a number",
        "sleeps": "must not block",
    }.items():
        error = await failure(functions, name)
        assert text in error.message, (name, error.message)
        assert error.kind == ("NOT_FOUND" if name == "method" else "INTERNAL") and error.thrown


async def test_limits_cost_only_their_own_call(functions_of: Any) -> None:
    functions = functions_of(
        options={"memory_limit": 4 << 20},
        memory="local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
        stack="local function f() return 1 + f() end return f()",
        pattern="return (('a'):rep(40)):find(('a*'):rep(40) .. 'b')",
        innocent="require('time').sleep('200ms') return 'fine'",
    )
    innocent = asyncio.create_task(functions.call_json("app:innocent"))
    for name in ("memory", "stack", "pattern"):
        error = await failure(functions, name)
        assert error.kind == "INTERNAL" and error.thrown, name
        assert error.message.startswith("app:" + name) or name + ".lua:2:" in error.message, error.message
        assert name + ".lua:2" in error.stack or name == "pattern"
    assert await innocent == "fine"


# ---- isolation, context


async def test_calls_share_nothing(functions_of: Any) -> None:
    functions = functions_of(counts="n = (n or 0) + 1 string.len = nil return n")
    assert [await functions.call_json("app:counts") for _ in range(3)] == [1, 1, 1]


async def test_context_is_inherited_and_explicit_values_win(functions_of: Any) -> None:
    functions = functions_of(
        inner="return require('ctx').all()",
        outer="""
            local funcs = require('funcs')
            local e = funcs.new():with_context({user = 'b', more = {1}})
            local future = e:async('app:inner')
            local reply = future:response():receive()
            return {funcs.call('app:inner'), e:call('app:inner'), reply:data(), (require('ctx').get('user'))}
        """,
        bad="""
            local v, err = require('funcs').new():with_context({f = function() end}):call('app:inner')
            return {err:kind(), err:message()}
        """,
    )
    merged = {"user": "b", "tenant": "t", "more": [1]}
    got = await functions.call_json("app:outer", context={"user": "a", "tenant": "t"})
    assert got == [{"user": "a", "tenant": "t"}, merged, merged, "a"]
    kind, message = await functions.call_json("app:bad")
    assert kind == "INVALID" and message.startswith("the context cannot be sent: ")


async def test_arguments_of_calls_are_copies(functions_of: Any) -> None:
    functions = functions_of(
        inner="local t = ... t.n = t.n + 1 return t",
        outer="""
            local t = {n = 1}
            local future = require('funcs').async('app:inner', t)
            t.n = 100
            return {(future:response():receive()):data().n, t.n}
        """,
    )
    assert await functions.call_json("app:outer") == [2, 100]


async def test_errors_of_called_functions(functions_of: Any) -> None:
    functions = functions_of(
        throws="error('x')",
        fails="return nil, errors.new{message='m', kind='CONFLICT', retryable=true, details={d=1}}",
        outer="""
            local out = {}
            for i, id in ipairs{'app:throws', 'app:fails'} do
                local v, err = require('funcs').call(id)
                out[i] = {v == nil, err:kind(), err:message(), err:retryable(), err:details() or 0}
            end
            return out
        """,
    )
    assert await functions.call_json("app:outer") == [
        [True, "INTERNAL", "throws.lua:2: x", False, 0],
        [True, "CONFLICT", "m", True, {"d": 1}],
    ]


async def test_recursion_ends_with_a_clear_error(functions_of: Any) -> None:
    functions = functions_of(deep="local v, err = require('funcs').call('app:deep') return v, err")
    error = await failure(functions, "deep")
    assert error.message == (
        "cannot call app:deep: functions have called each other 100 deep (a recursion without end?)"
    )


async def test_outside_an_activity(functions_of: Any) -> None:
    functions = functions_of(
        direct="""
        local activity, out = require('activity'), {}
        for i, f in ipairs{activity.info, activity.heartbeat, activity.last_heartbeat} do
            local v, err = f()
            out[i] = {v == nil, err:kind(), err:message()}
        end
        return out
    """
    )
    message = "no activity is being executed: this function was called directly"
    assert await functions.call_json("app:direct") == [[True, "INVALID", message]] * 3


# ---- time and concurrency


async def test_thousands_of_calls_at_once(functions_of: Any) -> None:
    functions = functions_of(naps="require('time').sleep('300ms') return ...", modules="[time]")
    results = await asyncio.gather(*(functions.call_json("app:naps", [i]) for i in range(2000)))
    assert results == list(range(2000)) and functions.running == 0


async def test_computing_scripts_leave_the_loop_alive(functions_of: Any) -> None:
    """A heartbeat task goes on turning while ten scripts compute; each of its turns lets one script run one slice."""
    functions = functions_of(spins="local x = 0 for i = 1, 2e6 do x = x + i end return x")
    calls = [asyncio.create_task(functions.call_json("app:spins")) for _ in range(10)]
    turns = 0
    while not all(call.done() for call in calls):
        await asyncio.sleep(0)
        turns += 1
    assert [call.result() for call in calls] == [2000001000000] * 10
    assert turns > 20


async def test_coroutines_wait_at_the_same_time(functions_of: Any) -> None:
    functions = functions_of(
        outer="""
        local funcs, out, done = require('funcs'), {}, channel.new(10)
        for i = 1, 5 do coroutine.spawn(function() out[i] = funcs.call('app:naps', i) done:send(i) end) end
        for i = 1, 5 do done:receive() end
        return out
    """,
        naps="require('time').sleep('50ms') return ...",
    )
    assert await functions.call_json("app:outer") == [1, 2, 3, 4, 5]


async def test_main_function_ends_and_drops_the_rest(functions_of: Any) -> None:
    functions = functions_of(
        outer="""
        require('funcs').async('app:forever')
        coroutine.spawn(function() require('time').sleep('1h') end)
        require('time').sleep('50ms')
        return 'done'
    """,
        forever="require('time').sleep('1h')",
        options={"cleanup_seconds": 0.2},
    )
    assert await functions.call_json("app:outer") == "done"
    await functions.close()
    assert functions.running == 0


async def test_futures(functions_of: Any) -> None:
    functions = functions_of(
        naps="require('time').sleep('20ms') return 7",
        outer="""
        local funcs, time = require('funcs'), require('time')
        local a, b = funcs.async('app:naps'), funcs.async('app:naps')
        local pending = {a:is_complete(), a:result()}
        b:cancel()
        local value = a:response():receive()
        local _, err = b:result()
        return {pending[1], #pending, value:data(), a:is_complete(), b:is_canceled(), err:kind()}
    """,
    )
    assert await functions.call_json("app:outer") == [False, 1, 7, True, True, "CANCELED"]


# ---- cancellation


async def cancelled(functions: Functions, name: str, *, after: float = 0.1) -> asyncio.Task[Any]:
    task = asyncio.create_task(functions.call_json(f"app:{name}"))
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.wait([task])
    return task


async def test_cancelled_call_ends_as_cancelled(functions_of: Any) -> None:
    functions = functions_of(sleeps="require('time').sleep('1h')", calls="return require('funcs').call('app:sleeps')")
    for name in ("sleeps", "calls"):
        task = await cancelled(functions, name)
        assert task.cancelled()
        with pytest.raises(asyncio.CancelledError):
            task.result()


async def test_script_may_clean_up_and_finish(functions_of: Any) -> None:
    functions = functions_of(
        careful="""
        local time, funcs = require('time'), require('funcs')
        local v, err = funcs.call('app:forever')
        time.sleep('50ms')
        return {err:kind(), funcs.call('app:undo')}
    """,
        forever="require('time').sleep('1h')",
        undo="return 'undone'",
    )
    task = await cancelled(functions, "careful")
    assert task.result() == ["CANCELED", "undone"]


async def test_script_that_does_not_end_is_ended(functions_of: Any) -> None:
    functions = functions_of(
        options={"cleanup_seconds": 0.2},
        stubborn="while true do pcall(require('time').sleep, '1h') end",
        spins="while true do end",
    )
    for name in ("stubborn", "spins"):
        task = asyncio.create_task(functions.call_json(f"app:{name}"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert str(caught.value) == f"app:{name} had not ended 0.2 s after its cancellation"
        assert functions.running == 0


async def test_second_cancellation_ends_it_at_once(functions_of: Any) -> None:
    functions = functions_of(stubborn="while true do pcall(require('time').sleep, '1h') end")
    task = await cancelled_twice(functions, "stubborn")
    assert task.cancelled() and functions.running == 0


async def cancelled_twice(functions: Functions, name: str) -> asyncio.Task[Any]:
    task = asyncio.create_task(functions.call_json(f"app:{name}"))
    for _ in range(2):
        await asyncio.sleep(0.1)
        task.cancel()
    await asyncio.wait([task])
    return task


async def test_timeout_around_a_call(functions_of: Any) -> None:
    functions = functions_of(sleeps="require('time').sleep('1h')")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await functions.call_json("app:sleeps")


async def test_close_ends_what_is_left(functions_of: Any) -> None:
    functions = functions_of(
        options={"cleanup_seconds": 0.1},
        outer="""
        require('funcs').async('app:stubborn')
        require('time').sleep('20ms')
        return 1
    """,
        stubborn="while true do pcall(require('time').sleep, '1h') end",
    )
    assert await functions.call_json("app:outer") == 1
    await functions.close()
    assert functions.running == 0


# ---- retries inside the process


FLAKY = """
    local options, kind = ...
    local v, err = require('funcs').new():with_options({retry = options}):call('app:flaky', kind)
    if err then return {err:kind(), err:message()} end
    return v
"""

COUNTED = """  - name: memory
    kind: env.storage.memory
  - name: attempts
    kind: env.variable
    variable: ATTEMPTS
    storage: app:memory
    default: "0"
"""

FLAKY_CALLEE = """
    local n = tonumber(require('env').get('ATTEMPTS')) + 1
    require('env').set('ATTEMPTS', tostring(n))
    if n % 10 < 3 then return nil, errors.new{message = 'attempt ' .. n, kind = ..., retryable = ... ~= 'INVALID'} end
    return n
"""


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        ({"initial_delay": 1}, "UNAVAILABLE", 3),
        ({"max_attempts": 2, "initial_delay": 1}, "UNAVAILABLE", ["UNAVAILABLE", "attempt 2"]),
        ({"initial_delay": "1ms", "max_delay": "2ms", "backoff_factor": 1, "jitter": 0}, "TIMEOUT", 3),
        ({"initial_delay": 1}, "INVALID", ["INVALID", "attempt 1"]),
        ({"initial_delay": 1, "skip_kinds": ["Unavailable"]}, "UNAVAILABLE", ["UNAVAILABLE", "attempt 1"]),
        ({"initial_delay": 1, "retry_kinds": ["CONFLICT"]}, "UNAVAILABLE", ["UNAVAILABLE", "attempt 1"]),
        ({"initial_delay": 1, "retry_kinds": ["INVALID"]}, "INVALID", 3),
        (
            {"max_attemps": 2},
            "INVALID",
            [
                "INVALID",
                "invalid option retry.max_attemps: not a known key (max_attempts, "
                "initial_delay, max_delay, backoff_factor, jitter, retry_kinds, skip_kinds)",
            ],
        ),
        ({"jitter": 2}, "INVALID", ["INVALID", "invalid option retry.jitter: expected a number from 0 to 1, got 2"]),
    ],
)
async def test_local_retries(functions_of: Any, options: Any, kind: str, expected: Any) -> None:
    functions = functions_of(extra=COUNTED, outer=FLAKY, flaky=FLAKY_CALLEE)
    assert await functions.call_json("app:outer", [options, kind]) == expected


# ---- balance


async def test_calls_leave_nothing_behind(functions_of: Any) -> None:
    functions = functions_of(
        fine="return require('funcs').call('app:fails')",
        fails="error('x')",
        sleeps="require('time').sleep('1h')",
        options={"pool_size": 2},
    )
    for _ in range(20):
        await failure(functions, "fine")
    await cancelled(functions, "sleeps", after=0.01)
    await functions.close()
    gc.collect()
    assert functions.running == 0 and not functions._tasks and len(functions._pool) == 0
