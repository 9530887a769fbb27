"""The lane at its edges: an SDK that it does not fit, bytes that are no message, runs that cannot be made."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import RemoveFromCache, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from fleet._core import Delivery
from fleet.lane import LaneReplayer, fitness, fits
from fleet.workflow.envelope import EVICTION, LOCAL_ACTIVITY, START, activation_head, completion_head


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitness, "_found", None)
    monkeypatch.setattr(fitness, "_told", False)


async def test_installed_sdk_fits(untried: None) -> None:
    assert await fits()


@pytest.mark.parametrize("version", ["1.34.9", "1.99.0", "2.0.0", "nightly"])
async def test_other_sdk_is_refused_with_one_warning(
    untried: None, version: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("temporalio.__version__", version)
    assert not await fits()
    assert not await fits()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "temporalio's public interface" in record.getMessage()


class Run:
    """Hands in what it is told to."""

    def __init__(self, *completions: bytes) -> None:
        self.completions = list(completions)
        self.left: list[RemoveFromCache] = []

    def activate(self, activation: bytes, is_replaying: bool, jobs: int) -> bytes:
        return self.completions.pop(0)

    def refused(self) -> bytes:
        completion = WorkflowActivationCompletion(run_id="00000000-0000-0000-0000-000000000001")
        completion.failed.failure.message = "refused"
        return completion.SerializeToString()

    def leave(self, eviction: RemoveFromCache) -> None:
        self.left.append(eviction)


async def replayed(start: Any) -> Exception | None:
    replayer = LaneReplayer("test")
    try:
        return await replayer.replay("fitness", fitness._history(), start)
    finally:
        await replayer.close()


async def test_completion_that_is_no_message_fails_the_task() -> None:
    run = Run(b"\xff\xff")
    error = await replayed(lambda run_id, job: run)
    assert isinstance(error, RuntimeError)
    assert len(run.left) == 1


async def test_run_that_cannot_be_made_fails_the_task(caplog: pytest.LogCaptureFixture) -> None:
    def start(run_id: str, job: Any) -> Any:
        raise LookupError("no such workflow")

    error = await replayed(start)
    assert isinstance(error, RuntimeError)
    assert "no such workflow" in str(error)
    assert "Failed handling activation" in caplog.text


def test_heads() -> None:
    activation = WorkflowActivation(run_id="r\u00e9", is_replaying=True, history_length=300)
    activation.jobs.add().initialize_workflow.workflow_type = "t"
    assert activation_head(activation.SerializeToString()) == ("r\u00e9", True, START)
    activation = WorkflowActivation(run_id="r")
    activation.jobs.add().remove_from_cache.message = "m"
    assert activation_head(activation.SerializeToString()) == ("r", False, EVICTION)
    completion = WorkflowActivationCompletion(run_id="r")
    completion.successful.SetInParent()
    assert completion_head(completion.SerializeToString()) == (False, 0)
    completion.successful.commands.add().schedule_local_activity.activity_id = "1"
    assert completion_head(completion.SerializeToString()) == (False, LOCAL_ACTIVITY)
    completion.failed.failure.message = "m"
    assert completion_head(completion.SerializeToString()) == (True, 0)


@pytest.mark.parametrize("wrong", [b"\x0a\xff", b"\x0a", b"\x2a\x05\x0a", b"\x0f"])
def test_heads_of_what_is_no_message(wrong: bytes) -> None:
    for head in (activation_head, completion_head):
        with pytest.raises(ValueError):
            head(wrong)


def test_results_reach_the_loop_or_do_not_wake_it() -> None:
    woken: list[Any] = []
    seen: list[Any] = []
    delivery = Delivery(lambda *call: woken.append(call), seen.append, seen.append)

    def deliver(future: Any, kind: str, value: Any) -> None:
        """As the bridge does it on a thread of the core's."""
        assert not future.cancelled()
        delivery.call_soon_threadsafe(None, future, getattr(future, kind), value, context=None)

    def future() -> Any:
        made = delivery.create_future()
        made.add_done_callback(print)
        return made

    deliver(future(), "set_result", b"activation")
    assert woken.pop() == (seen.append, b"activation")
    delivery.completion("run", seen.append, None)
    done = future()
    assert len(delivery) == 1
    deliver(done, "set_result", None)
    assert len(delivery) == 0 and woken == []
    failed, arrived, settled = object(), object(), object()
    delivery.completion("run", failed, arrived)
    done = future()
    delivery.settled = settled
    error = RuntimeError("lost")
    deliver(done, "set_exception", error)
    assert woken == [(failed, "run", error), (arrived,), (settled,)]
    delivery.completion("run", failed, arrived)
    delivery.withdraw()
    assert len(delivery) == 0
    delivery.poll()
    assert future() is delivery
