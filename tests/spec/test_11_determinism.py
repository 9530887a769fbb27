"""決定論: リプレイセーフな操作, 非決定論的（避けるべき操作）"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from scenario import Play, Stage


async def test_replay_safe_operations(stage: Stage) -> None:
    """Each run has values of its own, and shows them to every one of its replays."""
    stage.function("return { main = function(id) return {id = id} end }", "fetch_data")
    stage.workflow("local input = ... return input", "child")
    stage.workflow(
        """
        local id, input = "d-1", {n = 3}
        -- Activity calls
        local data = funcs.call("app:fetch_data", id)

        -- Durable sleep
        time.sleep("100ms")

        -- Current time
        local now = time.now()

        -- UUID generation
        local uid = uuid.v4()

        -- Crypto operations
        local bytes = crypto.random_bytes(32)

        -- Child workflows
        local result = workflow.exec("app:child", input)

        -- Versioning
        local v = workflow.version("change-1", 1, 2)
        local seen = {now:unix_nano(), uid, hash.sha256(bytes)}
        process.listen("again"):receive()
        return {data = data, child = result, version = v, seen = seen,
                again = {now:unix_nano(), uid, hash.sha256(bytes)}}
        """,
        modules="funcs time uuid crypto workflow hash",
    )
    seen = []

    async def scene(play: Play) -> Any:
        handle = await play.start()
        await stage.event(handle, "child_workflow_execution_completed")
        await handle.signal("again")
        result = (await play.ended(handle.id)).result
        assert result.pop("again") == result["seen"]
        seen.append(result.pop("seen"))
        return result

    assert await stage.play(scene) == {"data": {"id": "d-1"}, "child": {"n": 3}, "version": 2}
    assert len({uid for _, uid, _ in seen}) == 3 and len({digest for _, _, digest in seen}) == 3


async def test_wall_clock_and_random_are_made_safe(stage: Stage) -> None:
    """What the document says to avoid is harmless where it can be: the clock is the run's, random numbers are seeded."""
    stage.workflow(
        """
        local function numbers() return {os.time(), math.random(1000000), math.random(1000000)} end
        local first = numbers()
        counter = 0
        counter = counter + 1
        time.sleep("100ms")
        return {first = first, now = os.time() >= first[1], counter = counter}
        """,
        modules="time",
    )

    async def scene(play: Play) -> Any:
        handle = await play.start()
        result = (await play.ended(handle.id)).result
        assert all(number > 0 for number in result.pop("first"))
        return result

    assert await stage.play(scene) == {"now": True, "counter": 1}


async def test_globals_are_the_runs_own(stage: Stage) -> None:
    stage.workflow("counter = (counter or 0) + 1 return counter")

    async def scene(play: Play) -> Any:
        handles = [await play.start() for _ in range(3)]
        return [(await play.ended(handle.id)).result for handle in handles]

    assert await stage.play(scene) == [1, 1, 1]


@pytest.mark.parametrize(
    ("access", "instead"), [('io.open("data.txt")', "funcs.call"), ("os.getenv('HOME')", "env.get")]
)
async def test_input_and_output_are_absent(stage: Stage, access: str, instead: str) -> None:
    """A workflow that tries fails its task, with the line and what to use instead; a repaired one goes on."""
    stage.workflow(f"local file = {access}\nreturn 1")
    app = stage.load()
    async with stage.serving(app) as serving:
        handle = await stage.start(serving, task_timeout=timedelta(seconds=1))
        failed = await stage.event(handle, "workflow_task_failed")
        assert "wf.lua:2" in failed.failure.stack_trace
        assert instead in failed.failure.message
    async with stage.serving(stage.deploy("return 'repaired'")):
        assert (await stage.outcome(handle)).result == "repaired"
