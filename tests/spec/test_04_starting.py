"""ワークフローの起動: the functions here run outside workflows, as those of HTTP handlers and activities do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from scenario import Play, Stage
from temporalio.client import WorkflowExecutionStatus

ORDER = "local order = ... return {order_id = order.order_id or order.id}"
WAITING = "local order = ... process.listen('finish'):receive() return order.id or order.order_id"


def caller(stage: Stage, body: str, name: str = "caller", modules: str = "time") -> None:
    """A function that does what a sample does; ``order`` is its argument."""
    stage.function(
        f"local function main(order)\n{body}\nend\nreturn {{ main = main }}", name, modules=modules, activity=False
    )


def id_of(pid: str) -> str:
    """The workflow id of a PID."""
    assert pid.startswith("{app:temporal@app:worker|"), pid
    return pid[len("{app:temporal@app:worker|") : -1]


async def test_basic_spawn(stage: Stage) -> None:
    """基本的なスポーン"""
    stage.workflow(ORDER, "order_workflow")
    caller(
        stage,
        """
        local pid, err = process.spawn(
            "app:order_workflow",    -- workflow entry
            "app:worker",            -- temporal worker
            {order_id = "123"}       -- input
        )
        return pid, err
        """,
    )

    async def scene(play: Play) -> Any:
        pid = await play.call("caller")
        return (await play.ended(id_of(pid))).result

    assert await stage.play(scene) == {"order_id": "123"}


async def test_spawn_with_monitoring(stage: Stage) -> None:
    """モニタリング付きスポーン"""
    stage.workflow("local input = ... if input.fail then return nil, 'refused' end return input", "order_workflow")
    caller(
        stage,
        """
        local pid, err = process.spawn_monitored(
            "app:order_workflow",
            "app:worker",
            {order_id = "123", fail = order}
        )

        local events = process.events()
        local event = events:receive()

        if event.kind == process.event.EXIT then
            local result = event.result.value
            local error = event.result.error
            return {result = result, error = error and error:message(), own = event.from == pid}
        end
        """,
    )

    async def scene(play: Play) -> Any:
        return await play.call("caller", False), await play.call("caller", True)

    ok, failed = await stage.play(scene)
    assert ok == {"result": {"order_id": "123", "fail": False}, "own": True}
    assert failed == {"error": "refused", "own": True}


NAMED = """
local spawner = process
    .with_options({})
    :with_name("order-" .. order.id)

local pid, err = spawner:spawn_monitored(
    "app:order_workflow",
    "app:worker",
    {order_id = order.id}
)
return pid, err
"""
EXPLICIT = """
local spawner = process
    .with_options({
        ["temporal.workflow.id"] = "order-" .. order.id,
    })

local pid, err = spawner:spawn_monitored(
    "app:order_workflow",
    "app:worker",
    order
)
return pid, err
"""


@pytest.mark.parametrize("sample", [NAMED, EXPLICIT], ids=["名前付きスポーン", "明示的なワークフローID付きスポーン"])
async def test_a_name_or_id_starts_one_workflow(stage: Stage, sample: str) -> None:
    stage.workflow(WAITING, "order_workflow")
    caller(stage, sample)

    async def scene(play: Play) -> Any:
        order = {"id": play.unique}
        first, second = await play.call("caller", order), await play.call("caller", order)
        assert first == second and id_of(first) == f"order-{play.unique}"
        handle = play.handle(id_of(first))
        await handle.signal("finish")
        return (await play.ended(handle.id)).result == play.unique

    assert await stage.play(scene)


FAIL = """
-- Fail if workflow already exists
local spawner = process
    .with_options({
        ["temporal.workflow.id"] = "order-" .. order.id,
        ["temporal.workflow.id_conflict_policy"] = "fail",
    })

local pid, err = spawner:spawn("app:order_workflow", "app:worker", order)
if err then
    -- Workflow already running with this ID
    return {kind = err:kind(), retryable = err:retryable(), text = tostring(err)}
end
return pid
"""
FLAG = """
-- Error when already started (alternative approach)
local spawner = process
    .with_options({
        ["temporal.workflow.id"] = "order-" .. order.id,
        ["temporal.workflow.execution_error_when_already_started"] = true,
    })

local pid, err = spawner:spawn("app:order_workflow", "app:worker", order)
if err then return {kind = err:kind(), retryable = err:retryable(), text = tostring(err)} end
return pid
"""
REUSE = """
-- Reuse existing (default behavior with explicit ID)
local spawner = process
    .with_options({
        ["temporal.workflow.id"] = "order-" .. order.id,
    })

local pid, err = spawner:spawn("app:order_workflow", "app:worker", order)
-- Returns existing workflow PID if already running
return pid, err
"""
TERMINATE = """
local spawner = process.with_options({
    ["temporal.workflow.id"] = "order-" .. order.id,
    ["temporal.workflow.id_conflict_policy"] = "terminate_existing",
})
return spawner:spawn("app:order_workflow", "app:worker", order)
"""


class TestConflictPolicies:
    """ID競合ポリシー"""

    @pytest.mark.parametrize("sample", [FAIL, FLAG], ids=["fail", "execution_error_when_already_started"])
    async def test_an_error_for_the_second(self, stage: Stage, sample: str) -> None:
        stage.workflow(WAITING, "order_workflow")
        caller(stage, sample)

        async def scene(play: Play) -> Any:
            order = {"id": play.unique}
            pid, refused = await play.call("caller", order), await play.call("caller", order)
            assert play.unique in refused.pop("text")
            await play.handle(id_of(pid)).signal("finish")
            await play.ended(id_of(pid))
            return refused

        assert await stage.play(scene) == {"kind": "ALREADY_EXISTS", "retryable": False}

    async def test_use_existing(self, stage: Stage) -> None:
        stage.workflow(WAITING, "order_workflow")
        caller(stage, REUSE)

        async def scene(play: Play) -> Any:
            pids = [await play.call("caller", {"id": play.unique}) for _ in range(3)]
            await play.handle(id_of(pids[0])).signal("finish")
            await play.ended(id_of(pids[0]))
            return len(set(pids))

        assert await stage.play(scene) == 1

    async def test_terminate_existing(self, stage: Stage) -> None:
        stage.workflow(WAITING, "order_workflow")
        caller(stage, TERMINATE)

        async def scene(play: Play) -> Any:
            first = await play.call("caller", {"id": play.unique})
            run = (await play.handle(id_of(first)).describe()).run_id
            second = await play.call("caller", {"id": play.unique})
            before = await play.handle(id_of(first), run_id=run).describe()
            assert first == second and before.status == WorkflowExecutionStatus.TERMINATED
            await play.handle(id_of(second)).signal("finish")
            return (await play.ended(id_of(second))).result == play.unique

        assert await stage.play(scene)


async def test_options_as_printed(stage: Stage) -> None:
    """ワークフロー起動オプション: without start_delay, which the server refuses beside a cron schedule."""
    stage.search_attributes = {"customer_id": "Keyword"}
    stage.workflow("return 1", "order_workflow")
    caller(
        stage,
        """
        local spawner = process.with_options({
            ["temporal.workflow.id"] = "order-" .. order,
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
            ["temporal.workflow.cron_schedule"] = "0 */6 * * *",
            ["temporal.workflow.search_attributes"] = {
                customer_id = "cust-123"
            },
            ["temporal.workflow.memo"] = {
                source = "api"
            },
            ["temporal.workflow.parent_close_policy"] = "terminate",
        })
        return spawner:spawn("app:order_workflow", "app:worker")
        """,
    )
    async with stage.serving(await stage.prepared()) as serving:
        play = Play(stage, serving)
        pid = await play.call("caller", play.unique)
        handle = play.handle(id_of(pid))
        started = await stage.event(handle, "workflow_execution_started")
        await handle.terminate()
    assert started.workflow_execution_timeout.seconds == 86_400 and started.workflow_run_timeout.seconds == 3_600
    assert started.workflow_task_timeout.seconds == 30
    retry = started.retry_policy
    assert (retry.initial_interval.seconds, retry.backoff_coefficient) == (1, 2.0)
    assert (retry.maximum_interval.seconds, retry.maximum_attempts) == (300, 3)
    assert started.cron_schedule == "0 */6 * * *"
    assert started.search_attributes.indexed_fields["customer_id"].data == b'"cust-123"'
    assert started.memo.fields["source"].data == b'"api"'


async def test_cron_with_start_delay_is_refused_before_the_server_is_asked(stage: Stage) -> None:
    stage.workflow("return 1", "order_workflow")
    caller(
        stage,
        """
        local pid, err = process.with_options({
            ["temporal.workflow.cron_schedule"] = "0 */6 * * *",
            ["temporal.workflow.start_delay"] = "5m",
        }):spawn("app:order_workflow", "app:worker")
        return {kind = err:kind(), text = tostring(err)}
        """,
    )
    async with stage.serving(stage.load()) as serving:
        refused = await serving.functions.call_json("app:caller")
    assert refused["kind"] == "INVALID" and "cron_schedule" in refused["text"] and "start_delay" in refused["text"]


class TestOptionReference:
    """全オプションリファレンス: each row, in its order, as history or the server shows it."""

    async def started(self, stage: Stage, options: str, worker: str = "app:worker") -> tuple[str, Any]:
        """Start with options (the fields of a Lua table); the workflow id, and the attributes of its first event."""
        stage.workflow("process.listen('finish'):receive()", "order_workflow")
        caller(
            stage,
            f"""
            local id = order
            return process.with_options({{{options}}}):spawn("app:order_workflow", "{worker}")
            """,
        )
        async with stage.serving(await stage.prepared()) as serving:
            play = Play(stage, serving)
            pid = await play.call("caller", play.unique)
            handle = serving.clients["app:temporal"].get_workflow_handle(pid.rpartition("|")[2][:-1])
            attributes = await stage.event(handle, "workflow_execution_started")
            await handle.terminate()
        return handle.id, attributes

    @pytest.mark.parametrize("prefix", ["temporal.workflow.", "workflow."])
    async def test_id(self, stage: Stage, prefix: str) -> None:
        id, _ = await self.started(stage, f'["{prefix}id"] = "mine-" .. id')
        assert id.startswith("mine-")

    async def test_task_queue(self, stage: Stage) -> None:
        _, event = await self.started(stage, '["temporal.workflow.task_queue"] = "elsewhere"')
        assert event.task_queue.name == "elsewhere"

    @pytest.mark.parametrize("name", ["execution_timeout", "run_timeout", "task_timeout"])
    @pytest.mark.parametrize(("value", "seconds"), [('"5s"', 5), ("20000", 20), ('"1m30s"', 90)])
    async def test_timeouts(self, stage: Stage, name: str, value: str, seconds: int) -> None:
        _, event = await self.started(stage, f'["temporal.workflow.{name}"] = {value}')
        assert getattr(event, f"workflow_{name}").seconds == seconds

    @pytest.mark.parametrize(
        ("policy", "after_success"),
        [
            ("allow_duplicate", None),
            ("allow_duplicate_failed_only", "ALREADY_EXISTS"),
            ("reject_duplicate", "ALREADY_EXISTS"),
        ],
    )
    async def test_id_reuse_policy(self, stage: Stage, policy: str, after_success: str | None) -> None:
        stage.workflow("return 1", "order_workflow")
        caller(
            stage,
            f"""
            local pid, err = process.with_options({{
                ["temporal.workflow.id"] = order, ["temporal.workflow.id_reuse_policy"] = "{policy}",
            }}):spawn("app:order_workflow", "app:worker")
            return {{pid = pid, kind = err and err:kind()}}
            """,
        )
        async with stage.serving(stage.load()) as serving:
            play = Play(stage, serving)
            await play.call("caller", play.unique)
            await play.handle(play.unique).result()
            assert (await play.call("caller", play.unique)).get("kind") == after_success

    async def test_retry_policy(self, stage: Stage) -> None:
        _, event = await self.started(
            stage,
            '["temporal.workflow.retry_policy"] = {initial_interval = "2s", maximum_attempts = 4,'
            ' non_retryable_error_types = {"NOT_FOUND"}}',
        )
        assert event.retry_policy.initial_interval.seconds == 2 and event.retry_policy.maximum_attempts == 4
        assert list(event.retry_policy.non_retryable_error_types) == ["NOT_FOUND"]

    async def test_cron_schedule(self, stage: Stage) -> None:
        _, event = await self.started(stage, '["temporal.workflow.cron_schedule"] = "0 0 * * *"')
        assert event.cron_schedule == "0 0 * * *"

    async def test_memo(self, stage: Stage) -> None:
        _, event = await self.started(stage, '["temporal.workflow.memo"] = {source = "api", deep = {1, 2}}')
        assert {key: field.data for key, field in event.memo.fields.items()} == {"source": b'"api"', "deep": b"[1,2]"}

    async def test_search_attributes(self, stage: Stage) -> None:
        stage.search_attributes = {"customer_id": "Keyword", "rate": "Double"}
        _, event = await self.started(
            stage, '["temporal.workflow.search_attributes"] = {customer_id = "c-1", rate = 12}'
        )
        fields = event.search_attributes.indexed_fields
        assert fields["customer_id"].data == b'"c-1"' and fields["rate"].metadata["type"] == b"Double"

    async def test_enable_eager_start(self, stage: Stage) -> None:
        _, event = await self.started(stage, '["temporal.workflow.enable_eager_start"] = true')
        assert event.task_queue.name == stage.queue

    async def test_start_delay(self, stage: Stage) -> None:
        _, event = await self.started(stage, '["temporal.workflow.start_delay"] = "90s"')
        assert event.first_workflow_task_backoff.seconds == 90

    async def test_namespace(self, stage: Stage) -> None:
        stage.workflow("return workflow.info().namespace", "order_workflow", modules="workflow")
        caller(
            stage,
            """
            return process.with_options({["temporal.workflow.namespace"] = "default"})
                :exec("app:order_workflow", "app:worker")
            """,
        )
        async with stage.serving(stage.load()) as serving:
            assert await serving.functions.call_json("app:caller") == "default"

    @pytest.mark.parametrize("option", ["parent_close_policy", "wait_for_cancellation"])
    async def test_options_of_children_change_nothing_outside(self, stage: Stage, option: str) -> None:
        value = '"abandon"' if option == "parent_close_policy" else "true"
        _, event = await self.started(stage, f'["temporal.workflow.{option}"] = {value}')
        assert event.workflow_type.name == "app:order_workflow"

    async def test_wait_for_cancellation(self, stage: Stage) -> None:
        """A cancelled parent waits until its child has cleaned up."""
        stage.workflow("pcall(time.sleep, '1h') time.sleep('10ms') return 'cleaned up'", "child", modules="time")
        stage.workflow(
            """
            local value = process.with_options({["temporal.workflow.wait_for_cancellation"] = true})
                :exec("app:child", "app:worker")
            return value
            """
        )

        async def scene(play: Play) -> Any:
            handle = await play.start()
            await stage.event(handle, "child_workflow_execution_started")
            await handle.cancel()
            return (await play.ended(handle.id)).result

        assert await stage.play(scene) == "cleaned up"


@pytest.mark.parametrize(
    ("policy", "end"),
    [
        ("terminate", WorkflowExecutionStatus.TERMINATED),
        ("abandon", WorkflowExecutionStatus.RUNNING),
        ("request_cancel", WorkflowExecutionStatus.CANCELED),
    ],
)
async def test_parent_close_policy(stage: Stage, policy: str, end: WorkflowExecutionStatus) -> None:
    """親クローズポリシー"""
    stage.workflow("time.sleep('1h')", "child", modules="time")
    stage.workflow(
        f"""
        local pid = assert(process.with_options({{["temporal.workflow.parent_close_policy"] = "{policy}"}})
            :spawn("app:child", "app:worker"))
        return pid
        """
    )

    async def scene(play: Play) -> Any:
        handle = await play.start()
        child = play.handle(id_of((await play.ended(handle.id)).result))
        if end == WorkflowExecutionStatus.RUNNING:
            await asyncio.sleep(1)  # what the server does to a child, it does soon after the end of the parent
        status = await play.settled(child, end)
        if status == WorkflowExecutionStatus.RUNNING:
            await child.terminate()
        return status

    assert await stage.play(scene) == end


COUNTER = """
local input = ...
local counter = input.initial
local seen = {}
local inbox = process.inbox()
while true do
    local msg = inbox:receive()
    if msg:topic() == "finish" then break end
    counter = counter + msg:payload():data().amount
    seen[#seen + 1] = msg:payload():data().amount
end
return {counter = counter, seen = seen}
"""


class TestStartupMessages:
    """スタートアップメッセージ"""

    async def test_they_come_before_all_others(self, stage: Stage) -> None:
        stage.workflow(COUNTER, "counter_workflow")
        caller(
            stage,
            """
            local spawner = process
                .with_options({})
                :with_name("counter-workflow" .. order)
                :with_message("increment", {amount = 2})
                :with_message("increment", {amount = 1})
                :with_message("increment", {amount = 4})

            local pid, err = spawner:spawn_monitored(
                "app:counter_workflow",
                "app:worker",
                {initial = 0}
            )
            process.send(pid, "increment", {amount = 10})
            process.send(pid, "finish")
            local event = process.events():receive()
            return {pid = pid, value = event.result.value}
            """,
        )

        async def scene(play: Play) -> Any:
            answer = await play.call("caller", play.unique)
            await play.ended(id_of(answer["pid"]))
            return answer["value"]

        assert await stage.play(scene) == {"counter": 17, "seen": [2, 1, 4, 10]}

    async def test_they_reach_a_workflow_that_runs_already(self, stage: Stage) -> None:
        stage.workflow(COUNTER, "counter_workflow")
        caller(
            stage,
            """
            -- First spawn starts the workflow with initial messages
            local first = process
                .with_options({})
                :with_name("my-counter" .. order)
                :with_message("increment", {amount = 3})

            local pid, err = first:spawn("app:counter_workflow", "app:worker", {initial = 0})

            -- Second spawn reuses existing workflow and delivers new messages
            local second = process
                .with_options({})
                :with_name("my-counter" .. order)
                :with_message("increment", {amount = 2})

            local pid2, err = second:spawn("app:counter_workflow", "app:worker", {initial = 999})
            -- pid2 == pid (same workflow), input {initial = 999} is ignored
            -- But the increment message with amount=2 is delivered
            process.send(pid, "finish")
            return {pid = pid, same = pid == pid2}
            """,
        )

        async def scene(play: Play) -> Any:
            answer = await play.call("caller", play.unique)
            return answer["same"], (await play.ended(id_of(answer["pid"]))).result

        assert await stage.play(scene) == (True, {"counter": 5, "seen": [3, 2]})


async def test_context_reaches_the_workflow_and_its_activities(stage: Stage) -> None:
    """コンテキスト伝播"""
    read = """
    local ctx = require("ctx")

    local user_id = ctx.get("user_id")       -- "user-1"
    local tenant = ctx.get("tenant")         -- "tenant-1"
    local all = ctx.all()                    -- {user_id="user-1", tenant="tenant-1", request_id="req-abc"}
    """
    seen = "{user_id = user_id, tenant = tenant, all = all}"
    stage.function(f"return {{ main = function() {read} return {seen} end }}", "activity", modules="ctx")
    stage.workflow(
        f"{read} return {{here = {seen}, there = funcs.call('app:activity')}}", "order_workflow", modules="ctx funcs"
    )
    caller(
        stage,
        """
        local spawner = process.with_context({
            user_id = "user-1",
            tenant = "tenant-1",
            request_id = "req-abc",
        })

        local pid, err = spawner:spawn_monitored(
            "app:order_workflow",
            "app:worker",
            order
        )
        return process.events():receive().result.value
        """,
    )

    async def scene(play: Play) -> Any:
        return await play.call("caller", {"id": 1})

    values = {"user_id": "user-1", "tenant": "tenant-1", "request_id": "req-abc"}
    expected = {"user_id": "user-1", "tenant": "tenant-1", "all": values}
    assert await stage.play(scene) == {"here": expected, "there": expected}
