"""Failures become the same error objects outside workflows as in them (workflows.md 12; decisions 1 to 3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bare_run import BareRun
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob
from workflow_bench import Bench

from fleet.process.workflow_failure import failure_error
from fleet.workflow import LuaWorkflowInstance

SHOW = """
local _, err = process.exec("app:child", "app:worker")
return {kind = err:kind(), message = err:message(), retryable = err:retryable(), details = err:details(),
    stack = err:stack()}
"""


def application(message: str = "no", type: str = "NOT_FOUND", details: Any = (), **fields: Any) -> Failure:
    failure = Failure(message=message, stack_trace="a stack")
    failure.application_failure_info.type = type
    failure.application_failure_info.non_retryable = fields.get("non_retryable", False)
    for value in details:
        payload = value if isinstance(value, Payload) else encoded(value)
        failure.application_failure_info.details.payloads.append(payload)
    return failure


def encoded(value: Any) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


def lua(**record: Any) -> Failure:
    return application(details=[{"errors": [record]}])


def activity(cause: Failure, state: int = 4) -> Failure:
    failure = Failure(message="Activity task failed", cause=cause)
    failure.activity_failure_info.activity_id = "7"
    failure.activity_failure_info.retry_state = state  # type: ignore[assignment]
    return failure


def child(cause: Failure | None) -> Failure:
    failure = Failure(message="Child failed", cause=cause)
    info = failure.child_workflow_execution_failure_info
    info.workflow_execution.workflow_id, info.workflow_execution.run_id = "c-1", "r-1"
    info.workflow_type.name, info.retry_state = "app:child", 2
    return failure


def empty(name: str, **fields: Any) -> Failure:
    failure = Failure(message="text", stack_trace="a stack")
    getattr(failure, name).SetInParent()
    for key, value in fields.items():
        setattr(getattr(failure, name), key, value)
    return failure


FAILURES = {
    "lua": lua(msg="gone", kind="NOT_FOUND", retry=False, details={"id": 7, "deep": {"a": [1, 2.5]}}, stack="lua"),
    "lua, bare": lua(msg="gone"),
    "lua, kind in another spelling": lua(msg="gone", kind="RateLimited", retry=True),
    "lua, its own kind": lua(msg="gone", kind="OutOfStock"),
    "no record": application(details=[{"errors": "many"}]),
    "another SDK": application("bad", "ValueError"),
    "another SDK, final": application("bad", "", non_retryable=True),
    "another SDK, a table": application("bad", "X", [{"a": 1}]),
    "another SDK, a list": application("bad", "X", [[1, 2]]),
    "another SDK, values": application("bad", "X", ["a", 5]),
    "known by another name": application("no such", "NotFoundError"),
    "a kind by another spelling": application("no such", "AlreadyExists"),
    "canceled": empty("canceled_failure_info"),
    "terminated": empty("terminated_failure_info"),
    "timed out": empty("timeout_failure_info", timeout_type=1),
    "timed out, unknown": empty("timeout_failure_info"),
    "server": empty("server_failure_info", non_retryable=True),
    "server, may come back": empty("server_failure_info"),
    "nothing but words": Failure(message="text", stack_trace="a stack"),
    "words with a cause": Failure(message="text", cause=application("deep", "CONFLICT")),
    "activity": activity(lua(msg="gone", kind="INVALID", details={"a": 1})),
    "activity, timed out": activity(empty("timeout_failure_info", timeout_type=3)),
    "child of an activity": child(activity(application("bad", "X", ["a"]))),
    "child without a cause": child(None),
}


@pytest.fixture(scope="module")
def instance_of(tmp_path_factory: pytest.TempPathFactory) -> Any:
    bench = Bench("", Path(tmp_path_factory.mktemp("app")))
    bench.workflow("return 1", name="child")
    bench.workflow(SHOW)
    app = bench.load()
    return lambda: BareRun(app)


def in_workflow(run: Any, failure: Failure) -> Any:
    """What a workflow says of a failure."""
    assert isinstance(run.instance, LuaWorkflowInstance)
    (command,) = run.start()
    seq = command.start_child_workflow_execution.seq
    started, ended = WorkflowActivationJob(), WorkflowActivationJob()
    started.resolve_child_workflow_execution_start.seq = seq
    started.resolve_child_workflow_execution_start.succeeded.run_id = "r"
    ended.resolve_child_workflow_execution.seq = seq
    ended.resolve_child_workflow_execution.result.failed.failure.CopyFrom(failure)
    run.activate(started)
    (command,) = run.activate(ended)
    run.close()
    return json.loads(command.complete_workflow_execution.result.data)


@pytest.mark.parametrize("name", FAILURES)
def test_the_same_inside_and_outside(instance_of: Any, name: str) -> None:
    error = failure_error(FAILURES[name])
    facts = {"kind": error.kind, "message": error.message, "retryable": error.retryable, "details": error.details}
    facts = {key: value for key, value in {**facts, "stack": error.stack}.items() if value is not None}
    inside = in_workflow(instance_of(), FAILURES[name])
    assert inside == {"stack": "", **facts}


def test_details_that_cannot_be_read_are_named() -> None:
    strange = Payload(metadata={"encoding": b"binary/strange"}, data=b"?")
    error = failure_error(application("bad", "X", [strange]))
    assert error.details == {"details": ["(cannot be read, encoding binary/strange)"]}
