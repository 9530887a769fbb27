"""エラー処理: アクティビティエラー, アクティビティの障害モード, 子ワークフローエラー"""

from __future__ import annotations

from scenario import Stage

SHOW = "{kind = err:kind(), retryable = err:retryable(), message = err:message()}"


async def test_activity_errors(stage: Stage) -> None:
    stage.function(
        "return { main = function(order) return nil, errors.new{message = 'no order ' .. order.id,"
        " kind = errors.NOT_FOUND, retryable = false} end }",
        "risky_activity",
    )
    stage.workflow(
        f"""
        local order = ...
        local result, err = funcs.call("app:risky_activity", order)
        if err then
            print(err:kind())       -- error classification (e.g. "NOT_FOUND", "INTERNAL")
            print(err:retryable())  -- whether the error is retryable
            print(err:message())    -- human-readable error message
            return {SHOW}
        end
        """,
        modules="funcs",
    )
    result = await stage.run_sample({"id": 9})
    assert result == {"kind": "NOT_FOUND", "retryable": False, "message": "no order 9"}


async def test_failure_modes_of_activities(stage: Stage) -> None:
    stage.function("return { main = function() error('boom') end }", "unreliable_activity")
    stage.workflow(
        """
        local input = ...
        local executor = funcs.new():with_options({
            ["activity.retry_policy"] = {
                maximum_attempts = 1,
            }
        })

        local result, err = executor:call("app:unreliable_activity", input)
        if err then
            local kind = err:kind()         -- "INTERNAL" for runtime errors
            local retryable = err:retryable()
            return {kind, retryable, err:message()}
        end
        """,
        modules="funcs",
    )
    kind, retryable, message = await stage.run_sample(1)
    assert kind == "INTERNAL" and retryable is False
    assert "unreliable_activity.lua:1:" in message and "boom" in message
    assert len(stage.histories[0].attributes("activity_task_scheduled")) == 1


async def test_errors_of_children(stage: Stage) -> None:
    stage.workflow("return nil, errors.new{message = 'gone', kind = 'NOT_FOUND', retryable = false}", "error_workflow")
    stage.workflow(
        f"""
        local result, err = process.exec("app:error_workflow", "app:worker")
        if err then
            print(err:kind())       -- e.g. "NOT_FOUND"
            print(err:retryable())  -- false
            print(err:message())    -- error details
            return {SHOW}
        end
        """
    )
    assert await stage.run_sample() == {"kind": "NOT_FOUND", "retryable": False, "message": "gone"}
