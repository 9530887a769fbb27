"""Functions start and watch workflows: the samples of workflows.ja.md ワークフローの起動, and what they say of misuse."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from workflow_bench import Bench, as_module

WAITING = "local input = ... process.inbox():receive() return input"


async def run(bench: Bench, text: str, *args: Any, modules: str = "time errors channel") -> Any:
    """The result of a function with this body, served beside app:order_workflow, which waits for a message."""
    bench.workflow(WAITING, "order_workflow")
    bench.function(as_module(text), "fn", modules=modules)
    async with bench.serving(bench.load()) as serving:
        return await serving.functions.call_json("app:fn", args)


def fresh(name: str = "order") -> str:
    return f"{name}-{uuid.uuid4().hex[:10]}"


async def test_conflict_policies(bench: Bench) -> None:
    got = await run(
        bench,
        """
        local order = ...
        local function spawner(more)
            local options = {["temporal.workflow.id"] = order.id}
            for k, v in pairs(more) do options[k] = v end
            return process.with_options(options)
        end
        local pid, err = spawner({}):spawn("app:order_workflow", "app:worker", order)
        assert(pid, err)
        local results = {pid}
        for _, more in ipairs{
            {["temporal.workflow.id_conflict_policy"] = "fail"},
            {["temporal.workflow.execution_error_when_already_started"] = true},
        } do
            local none, err = spawner(more):spawn("app:order_workflow", "app:worker", order)
            results[#results + 1] = {none == nil, err:kind(), err:retryable(), tostring(err) ~= ""}
        end
        local same, err = spawner({}):spawn("app:order_workflow", "app:worker", {other = 1})
        results[#results + 1] = same == pid
        local explicit = spawner({["workflow.id_conflict_policy"] = "use_existing"})
        results[#results + 1] = explicit:spawn("app:order_workflow", "app:worker", {other = 1}) == pid
        process.terminate(pid)
        return results
        """,
        {"id": (id := fresh())},
    )
    refused = [True, "ALREADY_EXISTS", False, True]
    assert got == [f"{{app:temporal@app:worker|{id}}}", refused, refused, True, True]


async def test_each_run_that_is_monitored_has_its_exit(bench: Bench) -> None:
    """terminate_existing: the same PID, and yet two ends. use_existing: one end, however often it was spawned."""
    got = await run(
        bench,
        """
        local id = ...
        local options = {["temporal.workflow.id"] = id}
        local pid = assert(process.with_options(options):spawn_monitored("app:order_workflow", "app:worker", 1))
        for _ = 1, 3 do
            assert(process.with_options(options):spawn_monitored("app:order_workflow", "app:worker", 0))
        end
        options["temporal.workflow.id_conflict_policy"] = "terminate_existing"
        local second = assert(process.with_options(options):spawn_monitored("app:order_workflow", "app:worker", 2))
        local events = process.events()
        local first_end = events:receive()
        process.send(second, "go")
        local second_end = events:receive()
        local quiet = channel.select{events:case_receive(), time.after("300ms"):case_receive()}
        return {pid == second, first_end.result.error:message(), second_end.result.value, quiet.channel ~= events}
        """,
        fresh(),
    )
    assert got == [True, "workflow terminated", 2, True]


async def test_the_option_sample(bench: Bench) -> None:
    """The document's sample of all options, without the cron schedule that a server refuses beside a start delay."""
    bench.search_attributes = {"customer_id": "Keyword"}
    await register(bench)
    id = fresh()
    got = await run(
        bench,
        """
        local id = ...
        local options = {
            ["temporal.workflow.id"] = id,
            ["temporal.workflow.execution_timeout"] = "24h",
            ["temporal.workflow.run_timeout"] = "1h",
            ["temporal.workflow.task_timeout"] = "30s",
            ["temporal.workflow.id_conflict_policy"] = "fail",
            ["temporal.workflow.retry_policy"] = {
                initial_interval = 1000,
                backoff_coefficient = 2.0,
                maximum_interval = 300000,
                maximum_attempts = 3,
            },
            ["temporal.workflow.search_attributes"] = {
                customer_id = "cust-123"
            },
            ["temporal.workflow.memo"] = {
                source = "api"
            },
            ["temporal.workflow.start_delay"] = "5m",
            ["temporal.workflow.parent_close_policy"] = "terminate",
        }
        local pid = assert(process.with_options(options):spawn("app:order_workflow", "app:worker", 1))
        options["temporal.workflow.cron_schedule"] = "0 */6 * * *"
        options["temporal.workflow.id"] = id .. "-2"
        local none, err = process.with_options(options):spawn("app:order_workflow", "app:worker", 1)
        return {pid, err:kind(), err:message()}
        """,
        id,
    )
    assert got[1] == "INVALID"
    assert "exclude each other" in got[2]
    handle = (await bench.client()).get_workflow_handle(id)
    history = await handle.fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes
    assert started.workflow_execution_timeout.seconds == 86400
    assert started.workflow_run_timeout.seconds == 3600
    assert started.retry_policy.maximum_interval.seconds == 300
    assert started.first_workflow_task_backoff.seconds == 300
    assert started.memo.fields["source"].data == b'"api"'
    assert started.search_attributes.indexed_fields["customer_id"].data == b'"cust-123"'
    await handle.terminate()


async def register(bench: Bench) -> None:
    client = await bench.client()
    types = {"customer_id": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace="default", search_attributes=types)
    )


async def test_wrong_options_never_reach_the_server(bench: Bench) -> None:
    got = await run(
        bench,
        """
        local id = ...
        local results = {}
        for _, options in ipairs{
            {["temporal.workflow.id"] = ""},
            {["temporal.workflow.id_conflict_policy"] = "perhaps"},
            {["temporal.workflow.start_dely"] = "5s"},
            {["temporal.workflow.run_timeout"] = true},
            {["temporal.workflow.versioning_override"] = {mode = "pinned"}},
            {["temporal.workflow.id_reuse_policy"] = "terminate_if_running", ["workflow.id_conflict_policy"] = "fail"},
        } do
            options["workflow.memo"] = {n = 1}
            local pid, err = process.with_options(options):with_name(id):spawn("app:order_workflow", "app:worker")
            results[#results + 1] = {pid == nil, err:kind()}
        end
        return results
        """,
        fresh(),
    )
    assert got == [[True, "INVALID"]] * 6


async def test_hosts_and_ids_that_are_none(bench: Bench) -> None:
    got = await run(
        bench,
        """
        local results = {}
        local function note(pid, err) results[#results + 1] = {pid == nil, err:kind(), err:message()} end
        note(process.spawn("app:nothing", "app:worker"))
        note(process.spawn("app:order_workflow", "app:nowhere"))
        note(process.spawn("app:fn", "app:worker"))
        note(process.exec("app:nothing", "app:worker"))
        note(process.spawn("", "app:worker"))
        note(process.spawn("app:order_workflow", ""))
        note(process.spawn("app:order_workflow"))
        return results
        """,
    )
    assert [line[:2] for line in got] == [
        [True, "NOT_FOUND"],
        [True, "NOT_FOUND"],
        [True, "INVALID"],
        [True, "NOT_FOUND"],
        [True, "INVALID"],
        [True, "INVALID"],
        [True, "INVALID"],
    ]


async def test_an_activity_uses_its_own_client_for_a_raw_queue(bench: Bench) -> None:
    bench.entries.append({"name": "second", "kind": "temporal.client", "address": "localhost:7233"})
    bench.workflow(
        "local queue, id = ... return funcs.call('app:starter', queue, id)", modules="funcs", name="calls_activity"
    )
    bench.function(
        as_module(
            """
            local queue, id = ...
            local pid, err = process.with_options({["workflow.id"] = id}):spawn("app:order_workflow", queue, 7)
            return pid or err:kind()
            """
        ),
        "starter",
    )
    bench.workflow(WAITING, "order_workflow")
    async with bench.serving(bench.load()) as serving:
        id = fresh()
        # From nowhere in particular the queue could be of either client.
        assert await serving.functions.call_json("app:starter", [bench.queue, id]) == "INVALID"
        outcome = await bench.outcome(await bench.start(serving, bench.queue, id, name="calls_activity"))
        assert outcome.result == f"{{app:temporal@{bench.queue}|{id}}}"
        handle = (await bench.client()).get_workflow_handle(id)
        await handle.signal("go")
        assert await handle.result() == 7


async def test_a_chain_of_runs_has_one_exit(bench: Bench) -> None:
    bench.workflow(
        "local n = ... if n > 0 then workflow.continue_as_new(n - 1) end return 'end'", "chain", modules="workflow"
    )
    got = await run(
        bench,
        """
        local pid = assert(process.spawn_monitored("app:chain", "app:worker", 4))
        local event = process.events():receive()
        local value, err = process.exec("app:chain", "app:worker", 2)
        -- Closed already: its EXIT comes at once, with its result.
        assert(process.monitor(pid))
        local again = process.events():receive()
        return {event.from == pid, event.result.value, value, again.result.value}
        """,
    )
    assert got == [True, "end", "end", "end"]


async def test_payloads_that_are_too_large_are_invalid(bench: Bench) -> None:
    got = await run(
        bench,
        """
        local none, err = process.spawn("app:order_workflow", "app:worker", ("x"):rep(3000000))
        return {none == nil, err:kind(), err:message()}
        """,
    )
    assert got[:2] == [True, "INVALID"]
    assert "2 MB" in got[2]


async def test_many_calls_watch_one_workflow(bench: Bench) -> None:
    bench.workflow(WAITING, "order_workflow")
    body = """
    local pid = ...
    assert(process.monitor(pid))
    return process.events():receive().result.value
    """
    bench.function(as_module(body), "fn")
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving, "in", name="order_workflow")
        pid = f"{{app:temporal@app:worker|{handle.id}}}"
        watching = [asyncio.create_task(serving.functions.call_json("app:fn", [pid])) for _ in range(30)]
        await asyncio.sleep(0.1)
        await handle.signal("go")
        assert await asyncio.gather(*watching) == ["in"] * 30


async def test_the_pid_of_another_namespace_leads_there(bench: Bench) -> None:
    id = fresh()
    got = await run(
        bench,
        """
        local id = ...
        local options = {["temporal.workflow.id"] = id, ["temporal.workflow.namespace"] = "temporal-system"}
        local pid = assert(process.with_options(options):spawn_monitored("app:order_workflow", "app:worker"))
        local sent = process.send(pid, "topic", 1)
        local canceled = process.cancel(pid, "for a test")
        local ended = process.terminate(pid)
        local event = process.events():receive()
        local again, err = process.send(pid, "topic", 1)
        options["temporal.workflow.namespace"] = "nowhere"
        local none, missing = process.with_options(options):spawn("app:order_workflow", "app:worker")
        return {pid, sent, canceled, ended, event.from == pid, event.result.error:kind(), err:kind(), missing:kind()}
        """,
        id,
    )
    pid = f"{{app:temporal/temporal-system@app:worker|{id}}}"
    assert got == [pid, True, True, True, True, "CANCELED", "NOT_FOUND", "NOT_FOUND"]
