"""終了とキャンセル"""

from __future__ import annotations

from typing import Any

from scenario import Play, Stage
from temporalio.client import WorkflowExecutionStatus


def caller(stage: Stage, body: str) -> None:
    stage.function(
        f"local function main(workflow_pid)\n{body}\nend\nreturn {{ main = main }}",
        "caller",
        modules="time",
        activity=False,
    )


def pid_of(workflow_id: str) -> str:
    return f"{{app:temporal@app:worker|{workflow_id}}}"


async def test_terminate(stage: Stage) -> None:
    """終了: whoever monitors it gets an EXIT event with an error."""
    stage.workflow("time.sleep('1h')", modules="time")
    caller(
        stage,
        """
        process.monitor(workflow_pid)
        local ok, err = process.terminate(workflow_pid)
        local event = process.events():receive()
        return {ok = ok, kind = event.kind, error = event.result.error:kind(), again = select(2, process.terminate(workflow_pid)):kind()}
        """,
    )

    async def scene(play: Play) -> Any:
        handle = await play.start()
        result = await play.call("caller", pid_of(handle.id))
        assert (await handle.describe()).status == WorkflowExecutionStatus.TERMINATED
        return result

    assert await stage.play(scene) == {"ok": True, "kind": "pid.exit", "error": "CANCELED", "again": "NOT_FOUND"}


async def test_cancel_gives_time_to_clean_up(stage: Stage) -> None:
    """キャンセル: the deadline is an event field; the run that is in time ends as it likes."""
    stage.workflow(
        """
        local events = process.events()
        local event = events:receive()
        return {kind = event.kind == process.event.CANCEL, deadline = event.deadline ~= nil}
        """
    )
    caller(
        stage,
        """
        local ok, err = process.cancel(workflow_pid, "5s")
        return ok
        """,
    )

    async def scene(play: Play) -> Any:
        handle = await play.start()
        await stage.event(handle, "workflow_task_completed")
        return await play.call("caller", pid_of(handle.id)), (await play.ended(handle.id)).result

    assert await stage.play(scene) == (True, {"kind": True, "deadline": True})


async def test_a_deadline_that_passes_closes_the_run(stage: Stage) -> None:
    stage.workflow("local events = process.events() while true do events:receive() end")
    caller(stage, 'return process.cancel(workflow_pid, "1s")')

    async def scene(play: Play) -> Any:
        handle = await play.start()
        await stage.event(handle, "workflow_task_completed")
        await play.call("caller", pid_of(handle.id))
        return (await play.ended(handle.id)).canceled

    assert await stage.play(scene) is True


async def test_a_reason_is_passed_on(stage: Stage) -> None:
    stage.workflow("return process.events():receive().reason")
    caller(stage, 'return process.cancel(workflow_pid, "the customer left")')

    async def scene(play: Play) -> Any:
        handle = await play.start()
        await stage.event(handle, "workflow_task_completed")
        await play.call("caller", pid_of(handle.id))
        return (await play.ended(handle.id)).result

    assert await stage.play(scene) == "the customer left"


async def test_cancel_between_workflows(stage: Stage) -> None:
    stage.workflow("time.sleep('1h')", "sleeper", modules="time")
    stage.workflow(
        """
        local pid = ...
        local ok, err = process.cancel(pid, "5s")
        return ok
        """
    )

    async def scene(play: Play) -> Any:
        sleeper = await play.start(name="sleeper")
        await stage.event(sleeper, "timer_started")
        canceller = await play.start(pid_of(sleeper.id))
        return (await play.ended(canceller.id)).result, (await play.ended(sleeper.id)).canceled

    assert await stage.play(scene) == (True, True)


async def test_terminate_between_workflows(stage: Stage) -> None:
    stage.workflow("time.sleep('1h')", "sleeper", modules="time")
    stage.workflow("local pid = ... local ok, err = process.terminate(pid) return ok")

    async def scene(play: Play) -> Any:
        sleeper = await play.start(name="sleeper")
        await stage.event(sleeper, "timer_started")
        killer = await play.start(pid_of(sleeper.id))
        result = (await play.ended(killer.id)).result
        return result, (await sleeper.describe()).status

    assert await stage.play(scene) == (True, WorkflowExecutionStatus.TERMINATED)
