"""ワークフローモジュール: workflow.info(), exec(), version(), attrs(), history_length() / history_size()"""

from __future__ import annotations

from typing import Any

from scenario import Play, Stage


async def test_info(stage: Stage) -> None:
    stage.workflow(
        """
        local workflow = require("workflow")
        local info = workflow.info()
        print(info.workflow_id, info.run_id, info.workflow_type, info.task_queue, info.namespace)
        print(info.attempt, info.history_length, info.history_size)
        return info
        """,
        modules="workflow",
    )

    async def scene(play: Play) -> Any:
        handle = await play.start()
        info = (await play.ended(handle.id)).result
        assert info["workflow_id"] == handle.id and info["run_id"] == handle.result_run_id
        return {name: info[name] for name in ("workflow_type", "task_queue", "namespace", "attempt", "history_length")}

    assert await stage.play(scene) == {
        "workflow_type": "app:wf",
        "task_queue": stage.queue,
        "namespace": "default",
        "attempt": 1,
        "history_length": 3,
    }


async def test_exec(stage: Stage) -> None:
    stage.workflow(
        """
        local input_data = ...
        local result, err = workflow.exec("app:child_workflow", input_data)
        if err then
            return nil, err
        end
        return result
        """,
        modules="workflow",
    )
    stage.workflow("local n = ... if n < 0 then return nil, 'negative' end return n * 2", "child_workflow")
    assert await stage.run_sample(21) == 42
    failed = await stage.run_sample(-1)
    assert failed["kind"] == "INTERNAL" and "negative" in failed["message"]


VERSIONED = """
local input = ...
local result
local version = workflow.version("payment-v2", 1, 2)

if version == 1 then
    result = funcs.call("app:old_payment", input)
else
    result = funcs.call("app:new_payment", input)
end
process.listen("finish"):receive()
return {version = workflow.version("payment-v2", 1, 2), result = result}
"""
BEFORE = """
local input = ...
local result = funcs.call("app:old_payment", input)
process.listen("finish"):receive()
return {result = result}
"""


async def test_version(stage: Stage) -> None:
    """New runs take max_supported and keep it; a run from before the call existed goes on with version 1."""
    stage.function("return { main = function(n) return 'old ' .. n end }", "old_payment")
    stage.function("return { main = function(n) return 'new ' .. n end }", "new_payment")
    stage.workflow(BEFORE, modules="funcs workflow")
    app = stage.load()
    async with stage.serving(app, max_cached_workflows=0) as serving:
        old = await stage.start(serving, 5)
        await stage.event(old, "activity_task_completed")
    app = stage.deploy(VERSIONED)
    async with stage.serving(app, max_cached_workflows=0) as serving:
        await old.signal("finish")
        before = await stage.outcome(old)
        assert before.result == {"version": 1, "result": "old 5"}
        await stage.replay(app, before)

    async def scene(play: Play) -> Any:
        handle = await play.start(5)
        await stage.event(handle, "activity_task_completed")
        await handle.signal("finish")
        outcome = await play.ended(handle.id)
        (upsert,) = outcome.attributes("upsert_workflow_search_attributes")
        versions = upsert.search_attributes.indexed_fields["TemporalChangeVersion"].data
        return outcome.result, versions

    assert await stage.play(scene) == ({"version": 2, "result": "new 5"}, b'["payment-v2-2"]')


async def test_attrs(stage: Stage) -> None:
    stage.search_attributes = {"status": "Keyword", "customer_id": "Keyword", "order_total": "Int"}
    stage.workflow(
        """
        local order = ...
        workflow.attrs({
            search = {
                status = "processing",
                customer_id = order.customer_id,
                order_total = order.total
            },
            memo = {
                notes = "Priority customer",
                source = "web"
            }
        })
        """,
        modules="workflow",
    )

    async def scene(play: Play) -> Any:
        handle = await play.start({"customer_id": "c-1", "total": 12})
        await play.ended(handle.id)
        told = await handle.describe()
        attributes = {pair.key.name: pair.value for pair in told.typed_search_attributes}
        return {name: attributes[name] for name in stage.search_attributes}, await told.memo()

    assert await stage.play(scene) == (
        {"status": "processing", "customer_id": "c-1", "order_total": 12},
        {"notes": "Priority customer", "source": "web"},
    )


async def test_history_length_and_size(stage: Stage) -> None:
    stage.workflow(
        """
        local first = {workflow.history_length(), workflow.history_size()}
        time.sleep("10ms")
        local length = workflow.history_length()
        local size = workflow.history_size()

        if length > 10000 then
            return "Consider continue-as-new to reset history"
        end
        return {length > first[1], size > first[2], first[1] > 0, first[2] > 0}
        """,
        modules="workflow time",
    )
    assert await stage.run_sample() == [True, True, True, True]
