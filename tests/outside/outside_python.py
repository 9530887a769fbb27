"""Workflows in Python that end after several runs."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError


@workflow.defn(name="Chain")
class Chain:
    """Continues as new `left` times, then returns "done"."""

    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            workflow.continue_as_new(left - 1)
        return "done"


@workflow.defn(name="Fails")
class Fails:
    """Fails in each attempt."""

    @workflow.run
    async def run(self) -> None:
        raise ApplicationError(f"attempt {workflow.info().attempt}")
