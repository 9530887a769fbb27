"""fleet.LuaPlugin: Lua beside Python in one Worker, and in a Replayer (design, section 4)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from python_parts import PythonWorkflow, greet
from temporalio.worker import Replayer, Worker
from temporalio.workflow import NondeterminismError

import fleet
from fleet.workflow import Origin


def application(bench: Any, python_queue: str = "") -> Any:
    """An application that calls py:greet on the queue; by default its own."""
    bench.function("return { main = function(name) return name:upper() end }", "shout")
    bench.workflow(
        """
    local name = ...
    local mine = funcs.call("app:shout", name)
    local python = funcs.new():with_options({["activity.task_queue"] = "QUEUE"}):call("py:greet", name)
    time.sleep("10ms")
    return {mine, python}
    """.replace("QUEUE", python_queue or bench.queue),
        modules="funcs time",
    )
    return bench.load()


async def test_lua_and_python_in_one_worker(bench: Any) -> None:
    app = application(bench)
    client = await bench.client()
    async with Worker(
        client, task_queue=bench.queue, workflows=[PythonWorkflow], activities=[greet], plugins=[fleet.LuaPlugin(app)]
    ):
        ids = [f"plugin-{uuid.uuid4()}" for _ in range(2)]
        lua = await client.execute_workflow("app:wf", "ann", id=ids[0], task_queue=bench.queue)
        python = await client.execute_workflow(PythonWorkflow.run, "bob", id=ids[1], task_queue=bench.queue)
    assert lua == ["ANN", "hello ann"]
    assert python == ["hello bob", "BOB"]
    replayer = Replayer(
        workflows=[PythonWorkflow], plugins=[fleet.LuaPlugin(app, origin=Origin(bench.queue, "default"))]
    )
    for id in ids:
        await replayer.replay_workflow(await client.get_workflow_handle(id).fetch_history())


@pytest.mark.parametrize(
    "change",
    [
        ('time.sleep("10ms")', ""),  # a command less
        ('time.sleep("10ms")', 'funcs.call("app:shout", "x")'),  # another command
        ('funcs.call("app:shout", name)', 'funcs.call("app:other", name)'),  # another activity
        ("local name = ...", 'local name = ... time.sleep("1s")'),  # a command more
    ],
)
async def test_changed_code_does_not_fit(bench: Any, change: tuple[str, str]) -> None:
    app = application(bench, f"py-{bench.queue}")
    greeter = Worker(await bench.client(), task_queue=f"py-{bench.queue}", activities=[greet])
    async with greeter, bench.serving(app) as serving:
        outcome = await bench.outcome(await bench.start(serving, "ann"))
    assert outcome.result == ["ANN", "hello ann"]
    await bench.replay(app, outcome)
    changed = bench.deploy((bench.root / "wf.lua").read_text().replace(*change))
    with pytest.raises(NondeterminismError):
        await bench.replay(changed, outcome)


async def test_replay_of_a_type_that_the_application_has_no_more(bench: Any) -> None:
    bench.workflow("return 1", name="gone")
    outcome = await bench.run(name="gone")
    bench.entries.clear()
    bench.workflow("return 1")
    with pytest.raises(Exception, match="app:gone"):
        await bench.replay(bench.load(), outcome)


def test_unknown_worker_is_refused(bench: Any) -> None:
    with pytest.raises(ValueError, match=r"no temporal.worker 'app:nope': it has app:worker"):
        fleet.LuaPlugin(application(bench), worker="app:nope")
