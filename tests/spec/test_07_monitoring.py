"""モニタリングとリンク: of workflows, from functions and processes."""

from __future__ import annotations

from typing import Any

from scenario import Play, Stage

LONG = "local input = ... for i = 1, input.iterations do time.sleep('1h') end return 'done'"


def caller(stage: Stage, body: str) -> None:
    stage.function(
        f"local function main(order)\n{body}\nend\nreturn {{ main = main }}", "caller", modules="time", activity=False
    )


async def test_monitor_later(stage: Stage) -> None:
    """起動後のモニタリング"""
    stage.workflow(
        "local input = ... for i = 1, input.iterations do coroutine.yield() end return 'done'", "long_workflow"
    )
    caller(
        stage,
        """
        local pid, err = process.spawn(
            "app:long_workflow",
            "app:worker",
            {iterations = 100}
        )

        -- Monitor later
        local ok, err = process.monitor(pid)

        local events_ch = process.events()
        local event = events_ch:receive()  -- EXIT when workflow completes
        return {ok = ok, exit = event.kind == process.event.EXIT, value = event.result.value, own = event.from == pid}
        """,
    )

    async def scene(play: Play) -> Any:
        return await play.call("caller")

    assert await stage.play(scene) == {"ok": True, "exit": True, "value": "done", "own": True}


LINK = """
local ok, err = process.set_options({trap_links = true})

local pid, err = process.spawn(
    "app:long_workflow",
    "app:worker",
    {iterations = 100}
)

-- Link after workflow has started
time.sleep("200ms")
local ok, err = process.link(pid)

-- If workflow is terminated, receive LINK_DOWN
process.terminate(pid)

local events_ch = process.events()
local event = events_ch:receive()
-- event.kind == process.event.LINK_DOWN
return {ok = ok, down = event.kind == process.event.LINK_DOWN, kind = event.result.error:kind(),
        message = event.result.error:message(), own = event.from == pid}
"""


async def test_link_later(stage: Stage) -> None:
    """起動後のリンク"""
    stage.workflow(LONG, "long_workflow", modules="time")
    caller(stage, LINK)

    async def scene(play: Play) -> Any:
        return await play.call("caller")

    expected = {"ok": True, "down": True, "kind": "CANCELED", "message": "workflow terminated", "own": True}
    assert await stage.play(scene) == expected


async def test_without_trap_links_the_failure_spreads(stage: Stage) -> None:
    stage.workflow(LONG, "long_workflow", modules="time")
    caller(stage, LINK.replace("trap_links = true", "trap_links = false"))
    stage.function(
        """
        return { main = function()
            local value, err = funcs.call("app:caller")
            return {failed = err ~= nil, linked = tostring(err):find("linked process failed", 1, true) ~= nil}
        end }
        """,
        "outer",
        modules="funcs",
        activity=False,
    )

    async def scene(play: Play) -> Any:
        return await play.call("outer")

    result = await stage.play(scene)
    assert result == {"failed": True, "linked": True}


async def test_unmonitor_and_unlink(stage: Stage) -> None:
    """モニタリング解除 / リンク解除: of two that end, only the one that is still watched is heard of."""
    stage.workflow(LONG, "long_workflow", modules="time")
    caller(
        stage,
        """
        process.set_options({trap_links = true})
        local function spawn() return process.spawn("app:long_workflow", "app:worker", {iterations = 1}) end
        local pid, other = spawn(), spawn()
        process.monitor(pid)
        process.link(pid)
        process.monitor(other)
        process.unmonitor(pid)  -- stop receiving EXIT events
        process.unlink(pid)     -- remove bidirectional link
        process.terminate(pid)
        time.sleep("300ms")
        process.terminate(other)
        local event = process.events():receive()
        return {kind = event.kind, other = event.from == other}
        """,
    )

    async def scene(play: Play) -> Any:
        return await play.call("caller")

    assert await stage.play(scene) == {"kind": "pid.exit", "other": True}


async def test_a_watch_follows_continue_as_new(stage: Stage) -> None:
    stage.workflow(
        "local n = ... if n < 3 then workflow.continue_as_new(n + 1) end return n", "hopping", modules="workflow"
    )
    caller(
        stage,
        """
        local pid = process.spawn_monitored("app:hopping", "app:worker", 1)
        local event = process.events():receive()
        return {event.kind, event.result.value, event.from == pid}
        """,
    )

    async def scene(play: Play) -> Any:
        return await play.call("caller")

    assert await stage.play(scene) == ["pid.exit", 3, True]
