"""並行処理"""

from __future__ import annotations

from scenario import Stage

WORKERS = """
local function main(input)
    local worker_count = input.workers or 3
    local job_count = input.jobs or 6

    local work_queue = channel.new(10)
    local results = channel.new(10)

    for w = 1, worker_count do
        coroutine.spawn(function()
            while true do
                local job, ok = work_queue:receive()
                if not ok then break end
                time.sleep(10 * time.MILLISECOND)
                results:send({worker = w, job = job, result = job * 2})
            end
        end)
    end

    for j = 1, job_count do
        work_queue:send(j)
    end
    work_queue:close()

    local total = 0
    local processed = {}
    for _ = 1, job_count do
        local r = results:receive()
        total = total + r.result
        table.insert(processed, r)
    end

    return {total = total, processed = processed}
end
return { main = main }
"""


async def test_workers_share_a_queue(stage: Stage) -> None:
    stage.workflow(WORKERS, modules="time")
    result = await stage.run_sample({})
    assert result["total"] == 42
    assert [r["job"] for r in result["processed"]] == [1, 2, 3, 4, 5, 6]
    assert {r["worker"] for r in result["processed"]} == {1, 2, 3}


async def test_more_jobs_than_the_queue_holds(stage: Stage) -> None:
    stage.workflow(WORKERS, modules="time")
    result = await stage.run_sample({"workers": 20, "jobs": 40})
    assert result["total"] == 40 * 41 and len(result["processed"]) == 40
