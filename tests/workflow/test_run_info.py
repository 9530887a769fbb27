"""workflow.info and the history's measures (workflows.md 1, decision 14)."""

from __future__ import annotations

from typing import Any

from bare_run import BareRun, result


async def test_info_on_a_server(bench: Any) -> None:
    bench.workflow(
        """
    local function look()
        local info, err = workflow.info()
        assert(err == nil and info.history_length == workflow.history_length())
        assert(info.history_size == workflow.history_size())
        return info
    end
    local first = look()
    time.sleep("10ms")
    return {first, look()}
    """,
        modules="workflow time",
        workflow={"name": "OrderFlow"},
    )
    outcome = await bench.run(id="order-7", same=False)
    first, second = outcome.result
    assert first["workflow_id"] == "order-7" and first["workflow_type"] == "OrderFlow"
    assert first["task_queue"] == bench.queue and first["namespace"] == "default" and first["attempt"] == 1
    assert len(first["run_id"]) == 36 and first["run_id"] == second["run_id"]
    assert first["history_length"] == 3 and second["history_length"] == 8
    assert 0 < first["history_size"] < second["history_size"]
    assert first["continue_as_new_suggested"] is False


def test_info_is_a_table_of_its_own_each_time(bench: Any) -> None:
    bench.workflow("workflow.info().workflow_id = 'x' return workflow.info().workflow_id", modules="workflow")
    assert result(BareRun(bench.load()).start()) == "wf-1"
