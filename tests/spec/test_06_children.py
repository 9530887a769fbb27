"""子ワークフロー: workflow.exec, process.spawn, エラー伝播, process.exec"""

from __future__ import annotations

from typing import Any

from scenario import Play, Stage


async def test_exec_waits_for_the_result(stage: Stage) -> None:
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
    stage.workflow("local input = ... return {got = input}", "child_workflow")
    assert await stage.run_sample({"n": 1}) == {"got": {"n": 1}}


async def test_spawn_and_the_exit_event(stage: Stage) -> None:
    stage.workflow(
        """
        local events_ch = process.events()

        local child_pid, err = process.spawn(
            "app:child_workflow",
            "app:worker",
            {message = "hello from parent"}
        )
        if err then
            return {status = "spawn_failed", error = tostring(err)}
        end

        -- Wait for child EXIT event
        local event = events_ch:receive()

        if event.kind == process.event.EXIT then
            local child_result = event.result.value
            local child_error = event.result.error
            return {result = child_result, error = tostring(child_error), own = event.from == child_pid}
        end
        """
    )
    stage.workflow("local input = ... time.sleep('10ms') return input.message .. '!'", "child_workflow", modules="time")
    assert await stage.run_sample() == {"result": "hello from parent!", "error": "nil", "own": True}


async def test_a_child_that_cannot_be_started(stage: Stage) -> None:
    stage.workflow(
        """
        local child_pid, err = process.spawn("app:child_workflow", "app:other")
        if err then
            return {status = "spawn_failed", kind = err:kind(), error = tostring(err)}
        end
        """
    )
    stage.workflow("return 1", "child_workflow")
    stage.entries.append(
        {
            "name": "other",
            "kind": "temporal.worker",
            "client": "app:temporal",
            "task_queue": f"{stage.queue}-other",
        }
    )
    result = await stage.run_sample()
    assert result["status"] == "spawn_failed" and result["kind"] == "INVALID"
    assert "app:worker" in result["error"] and "app:other" in result["error"]


async def test_errors_arrive_with_the_event(stage: Stage) -> None:
    stage.workflow(
        """
        local events_ch = process.events()
        local child_pid, err = process.spawn(
            "app:error_child_workflow",
            "app:worker"
        )

        local event = events_ch:receive()
        if event.result.error then
            local child_err = event.result.error
            -- Error objects have kind(), retryable(), message() methods
            print(child_err:kind())       -- e.g. "NOT_FOUND"
            print(child_err:retryable())  -- false
            print(child_err:message())    -- error message text
            return {child_err:kind(), child_err:retryable(), child_err:message(), event.result.value == nil}
        end
        """
    )
    stage.workflow(
        "return nil, errors.new{message = 'no such customer', kind = errors.NOT_FOUND, retryable = false}",
        "error_child_workflow",
    )
    assert await stage.run_sample() == ["NOT_FOUND", False, "no such customer", True]


EXEC = """
local result, err = process.exec(
    "app:hello_workflow",
    "app:worker",
    {name = "world"}
)
if err then
    return nil, err
end
-- result contains the workflow return value
return result
"""


async def test_process_exec(stage: Stage) -> None:
    stage.workflow(EXEC)
    stage.workflow("local input = ... return {greeting = 'hello ' .. input.name}", "hello_workflow")
    assert await stage.run_sample() == {"greeting": "hello world"}


async def test_process_exec_in_a_function(stage: Stage) -> None:
    stage.function(f"local function main()\n{EXEC}\nend\nreturn {{ main = main }}", "caller", activity=False)
    stage.workflow("local input = ... return {greeting = 'hello ' .. input.name}", "hello_workflow")

    async def scene(play: Play) -> Any:
        return await play.call("caller")

    assert await stage.play(scene) == {"greeting": "hello world"}
