"""How fast a run gets a Lua state of its own, against lupa's LuaRuntime (the same VM with its stock libraries)."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import lupa.lua55

from fleet import _core
from fleet.lua import Programs
from fleet.workflow import WorkflowScripts

STATES = 50
SLEEPER = "bench:sequence"


def test_state_for_a_workflow(measure: Any, app: Any) -> None:
    scripts = WorkflowScripts(app, pool_size=0)
    program = scripts.programs.get(SLEEPER)

    def work() -> None:
        # An empty pool makes a state on demand, as for a run that finds none prepared.
        for _ in range(STATES):
            scripts.pool.take(program).close()

    measure("state: make and close", "fleet", work, operations=STATES)


def test_state_for_a_function(measure: Any) -> None:
    def work() -> None:
        for _ in range(STATES):
            _core.LuaState(engine="engine_function").close()

    measure("state: make and close", "fleet, for a function call", work, operations=STATES)


def test_lupa_runtime(measure: Any) -> None:
    def work() -> None:
        for _ in range(STATES):
            lupa.lua55.LuaRuntime()

    measure("state: make and close", "lupa LuaRuntime()", work, operations=STATES)


def test_take_from_the_pool(measure: Any, app: Any) -> None:
    program = Programs(app).get(SLEEPER)
    scripts = WorkflowScripts(app, pool_size=STATES)
    taken: list[_core.LuaState] = []

    async def fill() -> None:
        # Taking one while a loop runs is what makes the pool fill itself.
        scripts.pool.take(program).close()
        while len(scripts.pool) < STATES:
            await asyncio.sleep(0)

    def setup() -> None:
        while taken:
            taken.pop().close()
        asyncio.run(fill())

    def work() -> None:
        for _ in range(STATES):
            taken.append(scripts.pool.take(program))

    measure("state: get one that is ready to run", "fleet", work, operations=STATES, setup=setup)
    while taken:
        taken.pop().close()
    scripts.close()


def test_lupa_runtime_kept(measure: Any) -> None:
    kept: list[Any] = []

    def setup() -> None:
        kept.clear()
        gc.collect()

    def work() -> None:
        for _ in range(STATES):
            kept.append(lupa.lua55.LuaRuntime())

    measure("state: get one that is ready to run", "lupa LuaRuntime()", work, operations=STATES, setup=setup)
