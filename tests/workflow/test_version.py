"""workflow.version: every rule of decision 15."""

from __future__ import annotations

from typing import Any

import pytest
from bare_run import BareRun, TaskFailed, result, variants
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob

BODY = 'return (workflow.version("payment-v2", {min}, {max}))'


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="workflow time funcs")
    return BareRun(bench.load())


def patch(change_id: str) -> WorkflowActivationJob:
    """Core's word, ahead of a replay, that the history has this marker."""
    job = WorkflowActivationJob()
    job.notify_has_patch.patch_id = change_id
    return job


def test_new_run_takes_max_and_records_it(bench: Any) -> None:
    commands = bare(bench, BODY.format(min=1, max=3)).start()
    assert variants(commands) == ["set_patch_marker", "complete_workflow_execution"]
    assert commands[0].set_patch_marker.patch_id == "payment-v2-3" and result(commands) == 3


def test_replay_keeps_the_recorded_number_under_a_higher_max(bench: Any) -> None:
    run = bare(bench, BODY.format(min=1, max=5))
    commands = run.start(replaying=True, jobs=(patch("payment-v2-2"),))
    assert commands[0].set_patch_marker.patch_id == "payment-v2-2" and result(commands) == 2


def test_change_ids_may_end_in_numbers(bench: Any) -> None:
    run = bare(bench, 'return {(workflow.version("step-1", 1, 2)), (workflow.version("step", 1, 7))}')
    assert result(run.start(replaying=True, jobs=(patch("step-1-2"), patch("step-4")))) == [2, 4]


def test_no_record_is_version_1_where_1_is_supported(bench: Any) -> None:
    commands = bare(bench, BODY.format(min=1, max=2)).start(replaying=True)
    assert variants(commands) == ["complete_workflow_execution"] and result(commands) == 1


def test_no_record_is_minus_1_where_that_is_supported(bench: Any) -> None:
    assert result(bare(bench, BODY.format(min=-1, max=2)).start(replaying=True)) == -1


def failure(run: BareRun, *jobs: WorkflowActivationJob) -> Any:
    with pytest.raises(TaskFailed) as caught:
        run.start(replaying=True, jobs=jobs)
    return caught.value.failure


@pytest.mark.parametrize(
    ("low", "high", "recorded", "version"),
    [
        (1, 1, None, -1),
        (2, 3, None, 1),
        (2, 3, 1, 1),
        (1, 2, 3, 3),
        (0, 4, None, -1),
    ],
)
def test_out_of_range_fails_the_task_and_names_all(
    bench: Any, low: int, high: int, recorded: int | None, version: int
) -> None:
    jobs = [patch(f"payment-v2-{recorded}")] if recorded else []
    failed = failure(bare(bench, BODY.format(min=low, max=high)), *jobs)
    assert failed.message == (
        f'workflow.version("payment-v2"): this run is at version {version}, and the code supports {low} to {high}'
    )
    assert "wf.lua:2: in" in failed.stack_trace


def test_no_pcall_catches_it(bench: Any) -> None:
    run = bare(bench, 'pcall(workflow.version, "a", 3, 4) time.sleep("1s") return "went on"')
    assert "this run is at version 1" in failure(run).message


def test_same_id_later_gives_the_same_number(bench: Any) -> None:
    run = bare(
        bench, 'return {(workflow.version("a", 1, 2)), (workflow.version("a", 1, 9)), (workflow.version("b", 1, 9))}'
    )
    commands = run.start()
    assert result(commands) == [2, 2, 9]
    assert [c.set_patch_marker.patch_id for c in commands[:-1]] == ["a-2", "b-9"]


def test_same_id_later_with_a_range_that_leaves_it_out_fails_the_task(bench: Any) -> None:
    run = bare(bench, 'workflow.version("a", 1, 2) workflow.version("a", 3, 4)')
    with pytest.raises(TaskFailed, match=r'version\("a"\): this run is at version 2, and the code supports 3 to 4'):
        run.start()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('"", 1, 2', "change ID required"),
        ('"a", 3, 2', "min_supported 3 is above max_supported 2"),
        ('"\\xff", 1, 2', "change ID is not UTF-8"),
    ],
)
def test_invalid(bench: Any, arguments: str, text: str) -> None:
    run = bare(bench, f"local v, err = workflow.version({arguments}) return {{v == nil, err:kind(), err:message()}}")
    assert result(run.start()) == [True, "INVALID", text]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("7, 1, 2", "bad argument #1 to 'version' (string expected, got number)"),
        ("'a', '1', 2", "bad argument #2 to 'version' (integer expected, got string)"),
        ("'a', 1, 2.5", "bad argument #3 to 'version' (integer expected, got number)"),
        ("'a'", "bad argument #2 to 'version' (integer expected, got nil)"),
    ],
)
def test_wrong_types_raise(bench: Any, arguments: str, text: str) -> None:
    run = bare(bench, f"local ok, err = pcall(function() local v = workflow.version({arguments}) end) return err")
    assert result(run.start()).endswith("wf.lua:2: " + text)


# ---- on a server

OLD = 'local a = funcs.call("app:old") time.sleep("1s") return a'
NEW = """
local version = workflow.version("pay", {range})
local a = funcs.call(version >= 2 and "app:new" or "app:old")
time.sleep("1s")
return {{a, version, (workflow.version("pay", {range}))}}
"""


def functions(bench: Any) -> None:
    bench.function("return { main = function() return 'old' end }", "old")
    bench.function("return { main = function() return 'new' end }", "new")


async def test_new_run_on_a_server_has_the_search_attribute(bench: Any) -> None:
    functions(bench)
    bench.workflow(NEW.format(range="1, 2"), modules="funcs time workflow")
    outcome = await bench.run()
    assert outcome.result == ["new", 2, 2]
    (upsert,) = outcome.attributes("upsert_workflow_search_attributes")
    assert upsert.search_attributes.indexed_fields["TemporalChangeVersion"].data == b'["pay-2"]'
    assert len(outcome.attributes("marker_recorded")) == 1


@pytest.mark.parametrize(("supported", "expected"), [("1, 2", ["old", 1, 1]), ("-1, 2", ["old", -1, -1])])
async def test_call_that_was_added_to_a_running_workflow(bench: Any, supported: str, expected: list[Any]) -> None:
    functions(bench)
    bench.workflow(OLD, modules="funcs time workflow")
    async with bench.serving(bench.load(), max_cached_workflows=0) as serving:
        handle = await bench.start(serving)
        await bench.event(handle, "timer_started")
    app = bench.deploy(NEW.format(range=supported))
    async with bench.serving(app) as serving:
        outcome = await bench.outcome(handle)
    assert outcome.result == expected
    await bench.replay(app, outcome)


async def test_old_branch_taken_away_fails_the_task_until_it_is_back(bench: Any) -> None:
    functions(bench)
    bench.workflow(OLD, modules="funcs time workflow")
    async with bench.serving(bench.load(), max_cached_workflows=0) as serving:
        handle = await bench.start(serving)
        await bench.event(handle, "timer_started")
    async with bench.serving(bench.deploy(NEW.format(range="2, 3"))):
        failed = await bench.event(handle, "workflow_task_failed")
    assert failed.failure.message == 'workflow.version("pay"): this run is at version 1, and the code supports 2 to 3'
    app = bench.deploy(NEW.format(range="1, 3"))
    async with bench.serving(app):
        outcome = await bench.outcome(handle)
    assert outcome.result == ["old", 1, 1]
