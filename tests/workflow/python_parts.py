"""A Python workflow and activity, in a module that imports fleet as an application's would."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

import fleet

assert fleet.LuaPlugin


@activity.defn(name="py:greet")
async def greet(name: str) -> str:
    return f"hello {name}"


@workflow.defn(name="PythonWorkflow")
class PythonWorkflow:
    @workflow.run
    async def run(self, name: str) -> list[Any]:
        timeout = timedelta(seconds=20)
        mine = await workflow.execute_activity("py:greet", name, start_to_close_timeout=timeout)
        lua = await workflow.execute_activity("app:shout", name, start_to_close_timeout=timeout)
        return [mine, lua]
