"""シグナル: inboxパターン, トピックベースのサブスクリプション, 複数シグナルハンドラ, シグナルの応答確認, ワークフロー間シグナリング"""

from __future__ import annotations

from typing import Any

import pytest
from scenario import Play, Stage

INBOX = """
local function process_order(order) return {status = "processed", id = order.id} end

local function main(order)
    local inbox = process.inbox()

    while true do
        local msg = inbox:receive()
        local topic = msg:topic()
        local data = msg:payload():data()

        if topic == "approve" then
            break
        elseif topic == "cancel" then
            return {status = "cancelled", reason = data.reason}
        end
    end

    return process_order(order)
end
return { main = main }
"""


@pytest.mark.parametrize(
    ("signals", "result"),
    [
        ([("note", {"text": "wait"}), ("approve", {})], {"status": "processed", "id": 7}),
        ([("cancel", {"reason": "changed my mind"})], {"status": "cancelled", "reason": "changed my mind"}),
    ],
)
async def test_inbox(stage: Stage, signals: list[tuple[str, Any]], result: Any) -> None:
    stage.workflow(INBOX)

    async def scene(play: Play) -> Any:
        handle = await play.start({"id": 7})
        for topic, data in signals:
            await handle.signal(topic, data)
        return (await play.ended(handle.id)).result

    assert await stage.play(scene) == result


async def test_topics(stage: Stage) -> None:
    stage.function("return { main = function(p) return {echo = p.data.id} end }", "echo_activity")
    stage.workflow(
        """
        local function main(input)
            local results = {}
            local job_ch = process.listen("add_job")
            local exit_ch = process.listen("exit")

            while true do
                local result = channel.select{
                    job_ch:case_receive(),
                    exit_ch:case_receive()
                }

                if result.channel == exit_ch then
                    break
                elseif result.channel == job_ch then
                    local job_data = result.value
                    local activity_result, err = funcs.call(
                        "app:echo_activity",
                        {job_id = job_data.id, data = job_data}
                    )
                    table.insert(results, {
                        job_id = job_data.id,
                        result = activity_result
                    })
                end
            end

            return {total_jobs = #results, results = results}
        end
        return { main = main }
        """,
        modules="funcs",
    )

    async def scene(play: Play) -> Any:
        handle = await play.start()
        for n in (1, 2, 3):
            await handle.signal("add_job", {"id": n})
        await stage.event(handle, "activity_task_completed", 3)
        await handle.signal("exit")
        return (await play.ended(handle.id)).result

    results = [{"job_id": n, "result": {"echo": n}} for n in (1, 2, 3)]
    assert await stage.play(scene) == {"total_jobs": 3, "results": results}


async def test_message_objects_name_their_sender(stage: Stage) -> None:
    """A message of another Temporal client has no sender."""
    stage.workflow(
        """
        local ch = process.listen("request", {message = true})
        local msg = ch:receive()
        local sender = msg:from()
        local data = msg:payload():data()
        return {data = data, topic = msg:topic(), unknown = sender == nil}
        """
    )

    async def scene(play: Play) -> Any:
        handle = await play.start()
        await handle.signal("request", {"n": 1})
        return (await play.ended(handle.id)).result

    assert await stage.play(scene) == {"data": {"n": 1}, "topic": "request", "unknown": True}


COUNTER = """
local function main(input)
    local counter = input.initial or 0
    local done = false

    coroutine.spawn(function()
        local ch = process.listen("increment", {message = true})
        while not done do
            local msg, ok = ch:receive()
            if not ok then break end

            local data = msg:payload():data()
            local reply_to = msg:from()

            if type(data) ~= "table" or type(data.amount) ~= "number" then
                process.send(reply_to, "nak", "amount must be a number")
            else
                process.send(reply_to, "ack")
                counter = counter + data.amount
                process.send(reply_to, "ok", {value = counter})
            end
        end
    end)

    coroutine.spawn(function()
        local ch = process.listen("decrement", {message = true})
        while not done do
            local msg, ok = ch:receive()
            if not ok then break end

            local data = msg:payload():data()
            local reply_to = msg:from()

            if counter - data.amount < 0 then
                process.send(reply_to, "nak", "would result in negative value")
            else
                process.send(reply_to, "ack")
                counter = counter - data.amount
                process.send(reply_to, "ok", {value = counter})
            end
        end
    end)

    -- Main coroutine waits for finish signal
    local finish_ch = process.listen("finish", {message = true})
    local msg = finish_ch:receive()
    process.send(msg:from(), "ack")
    process.send(msg:from(), "ok", {message = "finishing"})
    done = true

    return {final_counter = counter}
end
return { main = main }
"""
ASKER = """
local target = ...
local answers = {}
local function ask(topic, data)
    process.send(target, topic, data)
    local got = {}
    repeat
        local msg = process.inbox():receive()
        local payload = msg:payload()
        got[#got + 1] = {msg:topic(), payload and payload:data() or json.null}
    until msg:topic() ~= "ack"
    answers[#answers + 1] = got
end
ask("increment", {amount = 3})
ask("increment", "three")
ask("decrement", {amount = 1})
ask("decrement", {amount = 5})
ask("finish")
return answers
"""


async def test_several_handlers(stage: Stage) -> None:
    """Each request is answered to its sender: with ack and ok, or with nak."""
    stage.workflow(COUNTER, "counter")
    stage.workflow(ASKER, "asker", modules="json")

    async def scene(play: Play) -> Any:
        counter = await play.start({"initial": 1}, name="counter")
        asker = await play.start(f"{{app:temporal@app:worker|{counter.id}}}", name="asker")
        answers = (await play.ended(asker.id)).result
        return answers, (await play.ended(counter.id)).result

    answers, result = await stage.play(scene)
    assert result == {"final_counter": 3}
    assert answers == [
        [["ack", None], ["ok", {"value": 4}]],
        [["nak", "amount must be a number"]],
        [["ack", None], ["ok", {"value": 3}]],
        [["nak", "would result in negative value"]],
        [["ack", None], ["ok", {"message": "finishing"}]],
    ]


CALLER = """
local workflow_pid = ...
-- Caller side
local response_ch = process.listen("status_response")
process.send(workflow_pid, "get_status", {})

local timeout = time.after("30s")
local result = channel.select{
    response_ch:case_receive(),
    timeout:case_receive()
}

if result.channel == response_ch then
    local status = result.value
    return status
end
"""


async def test_request_and_reply(stage: Stage) -> None:
    stage.workflow(
        """
        -- Workflow side
        local ch = process.listen("get_status", {message = true})
        local msg = ch:receive()
        process.send(msg:from(), "status_response", {status = "processing", progress = 75})
        """,
        "worker_side",
    )
    stage.workflow(CALLER, "caller_side", modules="time")

    async def scene(play: Play) -> Any:
        asked = await play.start(name="worker_side")
        caller = await play.start(f"{{app:temporal@app:worker|{asked.id}}}", name="caller_side")
        await play.ended(asked.id)
        return (await play.ended(caller.id)).result

    assert await stage.play(scene) == {"status": "processing", "progress": 75}


async def test_request_from_a_function(stage: Stage) -> None:
    stage.workflow(
        """
        -- Workflow side
        local ch = process.listen("get_status", {message = true})
        local msg = ch:receive()
        local sent = process.send(msg:from(), "status_response", {status = "processing", progress = 75})
        return sent
        """
    )
    stage.function(
        f"local function main(...)\n{CALLER}\nend\nreturn {{ main = main }}", "caller", modules="time", activity=False
    )

    async def scene(play: Play) -> Any:
        asked = await play.start()
        status = await play.call("caller", f"{{app:temporal@app:worker|{asked.id}}}")
        return status, (await play.ended(asked.id)).result

    assert await stage.play(scene) == ({"status": "processing", "progress": 75}, True)


SENDER = """
-- Sender workflow
local function main(input)
    local target_pid = input.target
    local ok, err = process.send(target_pid, "cross_host_ping", {data = "hello"})
    if err then
        return {ok = false, error = tostring(err), kind = err:kind()}
    end

    local response_ch = process.listen("cross_host_pong")
    local response = response_ch:receive()
    return {ok = true, received = response}
end
return { main = main }
"""


async def test_between_workflows(stage: Stage) -> None:
    stage.workflow(SENDER, "sender")
    stage.workflow(
        """
        local msg = process.listen("cross_host_ping", {message = true}):receive()
        process.send(msg:from(), "cross_host_pong", {echo = msg:payload():data().data, me = process.pid()})
        """,
        "target",
    )

    async def scene(play: Play) -> Any:
        target = await play.start(name="target")
        pid = f"{{app:temporal@app:worker|{target.id}}}"
        sender = await play.start({"target": pid}, name="sender")
        await play.ended(target.id)
        result = (await play.ended(sender.id)).result
        assert result["received"].pop("me") == pid
        return result

    assert await stage.play(scene) == {"ok": True, "received": {"echo": "hello"}}


async def test_to_a_workflow_that_is_not_there(stage: Stage) -> None:
    stage.workflow(SENDER)
    result = await stage.run_sample({"target": "{app:temporal@app:worker|nobody}"})
    assert result["ok"] is False and result["kind"] == "NOT_FOUND" and "workflow" in result["error"]
