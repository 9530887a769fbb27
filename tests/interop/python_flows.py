"""Workflows and activities in Python beside those in Lua."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError

TIMEOUT = timedelta(seconds=30)


@activity.defn(name="charge")
async def charge(account: str, cents: int) -> dict[str, Any]:
    if cents < 0:
        raise ApplicationError("no refunds", {"cents": cents}, type="INVALID", non_retryable=True)
    return {"account": account, "cents": cents, "attempt": activity.info().attempt}


@workflow.defn(name="PythonParent")
class PythonParent:
    """Runs a Lua child, and tells of its result or of its failure."""

    @workflow.run
    async def run(self, type: str, queue: str, arguments: list[Any]) -> dict[str, Any]:
        try:
            value = await workflow.execute_child_workflow(
                type, args=arguments, task_queue=queue, execution_timeout=TIMEOUT, memo={"from": "python"}
            )
        except ChildWorkflowError as error:
            cause = error.cause
            assert isinstance(cause, ApplicationError), cause
            return {"type": cause.type, "message": cause.message, "final": cause.non_retryable}
        return {"value": value}


@workflow.defn(name="PythonChild")
class PythonChild:
    """Waits for a signal, answers queries and updates, and returns what it got."""

    def __init__(self) -> None:
        self.amount = 0
        self.done = False

    @workflow.run
    async def run(self, order: dict[str, Any], mode: str) -> dict[str, Any]:
        if mode == "fail":
            raise ApplicationError("out of stock", {"sku": order["sku"]}, type="NotFound", non_retryable=True)
        if mode == "wait":
            await workflow.wait_condition(lambda: self.done)
        return {"order": order, "amount": self.amount, "parent": workflow.info().parent is not None}

    @workflow.signal(name="add")
    def add(self, amount: int) -> None:
        self.amount += amount

    @workflow.signal(name="finish")
    def finish(self, _: Any = None) -> None:
        self.done = True


@workflow.defn(name="PythonSender")
class PythonSender:
    """Signals another workflow and cancels it."""

    @workflow.run
    async def run(self, id: str, note: Any) -> None:
        other = workflow.get_external_workflow_handle(id)
        await other.signal("note", note)
        await other.cancel()
