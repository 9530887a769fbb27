"""Startup messages: before any other message and all together (workflows.ja.md スタートアップメッセージ, decision 22)."""

from __future__ import annotations

from typing import Any

import pytest
from bare_run import BareRun, decoded, encoded, result
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob

COUNTER = """
local input = ...
local counter, got = input.initial, {}
local inbox = process.inbox()
for i = 1, input.wait do
    local msg = inbox:receive()
    local data = msg:payload():data()
    got[i] = {msg:topic(), data, msg:from()}
    if msg:topic() == "increment" then counter = counter + data.amount end
end
return {counter = counter, got = got}
"""


def batch_signal(*payloads: Payload) -> WorkflowActivationJob:
    """A batch as a signal brings it."""
    job = WorkflowActivationJob()
    job.signal_workflow.signal_name = "lua-fleet.messages"
    job.signal_workflow.input.extend(payloads)
    return job


def bare(bench: Any, body: str) -> BareRun:
    bench.workflow(body, modules="time")
    bench.workflow("return ...", name="child")
    return BareRun(bench.load())


async def test_a_child_gets_them_from_its_parent(bench: Any) -> None:
    bench.workflow(COUNTER, name="counter")
    bench.workflow(
        """
    local spawner = process.with_options({})
        :with_message("increment", {amount = 2})
        :with_message("increment", {amount = 1})
        :with_message("note", "a")
        :with_message("increment", {amount = 4})
    local counted = spawner:exec("app:counter", "app:worker", {initial = 10, wait = 4})
    return {counted.counter, counted.got[3][2], counted.got[1][3] == process.pid()}
    """
    )
    assert (await bench.run()).result == [17, "a", True]


HEADERS = {
    "lua-fleet-messages": encoded([{"topic": "a", "n": 1, "from": "{n-1@app:host|0x00001}"}, {"topic": "b", "n": 2}]),
    "lua-fleet-messages-1": encoded(1),
    "lua-fleet-messages-2": encoded(None),
    "lua-fleet-messages-3": encoded("two"),
}
READ_ALL = """
local got = {}
for _, topic in ipairs{"a", "b"} do
    local msg = process.listen(topic, {message = true}):receive()
    local payload = msg:payload()
    got[#got + 1] = {topic, msg:from() or "nobody", type(payload) == "table" and #payload or payload:data()}
end
return got
"""


def test_headers_of_the_start(bench: Any) -> None:
    run = bare(bench, READ_ALL)
    assert result(run.start(headers=HEADERS)) == [["a", "{n-1@app:host|0x00001}", 1], ["b", "nobody", 2]]


@pytest.mark.parametrize("change", [{"attempt": 2}, {"continued_from_execution_run_id": "run-0"}])
def test_only_the_first_run_takes_them(bench: Any, change: dict[str, Any]) -> None:
    run = bare(bench, READ_ALL)
    job = WorkflowActivationJob()
    start = job.initialize_workflow
    start.workflow_id, start.workflow_type, start.attempt = "wf-1", "app:wf", change.get("attempt", 1)
    start.continued_from_execution_run_id = change.get("continued_from_execution_run_id", "")
    for name, payload in HEADERS.items():
        start.headers[name].CopyFrom(payload)
    assert run.activate(job) == []


def test_a_batch_arrives_all_together_and_in_order(bench: Any) -> None:
    run = bare(bench, COUNTER)
    run.start({"initial": 0, "wait": 3})
    manifest = encoded(
        [{"topic": "x", "n": 1, "from": "{c@w|1}"}, {"topic": "increment", "n": 1}, {"topic": "y", "n": 1}]
    )
    outcome = result(run.activate(batch_signal(manifest, encoded(1), encoded({"amount": 5}), encoded(None))))
    assert outcome["counter"] == 5
    assert outcome["got"] == [["x", 1, "{c@w|1}"], ["increment", {"amount": 5}], ["y"]]


@pytest.mark.parametrize(
    "payloads",
    [
        [],
        [encoded("text")],
        [encoded([1])],
        [encoded([{"topic": "a"}])],
        [encoded([{"topic": "a", "n": 2}]), encoded(1)],
        [encoded([{"topic": "a", "n": 1}]), encoded(1), encoded(2)],
        [encoded([{"topic": "a", "n": -1}])],
        [encoded([{"topic": "a", "n": 0, "from": 7}])],
    ],
)
def test_a_broken_batch_is_kept_out_and_logged(bench: Any, caplog: Any, payloads: list[Payload]) -> None:
    run = bare(bench, "return process.inbox():receive():topic()")
    run.start()
    with caplog.at_level("ERROR", logger="fleet.script"):
        assert run.activate(batch_signal(*payloads)) == []
    assert 'signal "lua-fleet.messages" was kept out of the workflow: ' in caplog.text


def test_a_message_of_a_batch_that_cannot_be_read_is_kept_out_alone(bench: Any, caplog: Any) -> None:
    run = bare(bench, "return process.inbox():receive():topic()")
    run.start()
    odd = Payload(metadata={"encoding": b"binary/odd"}, data=b"?")
    with caplog.at_level("ERROR", logger="fleet.script"):
        commands = run.activate(
            batch_signal(encoded([{"topic": "a", "n": 1}, {"topic": "b", "n": 1}]), odd, encoded(1))
        )
    assert result(commands) == "b" and 'signal "a" was kept out' in caplog.text


def test_the_headers_that_a_child_gets(bench: Any) -> None:
    run = bare(
        bench,
        """
    local amount = {amount = 2}
    local spawner = process.with_options({}):with_message("increment", amount):with_message("", 1):with_message("go")
    amount.amount = 3
    spawner:with_message("not mine")
    spawner:with_message("pair", 1, nil):spawn("app:child", "app:worker")
    """,
    )
    headers = run.start()[0].start_child_workflow_execution.headers
    sender = "{app:temporal@app:worker|wf-1}"
    assert decoded(headers["lua-fleet-messages"]) == [
        {"topic": "increment", "n": 1, "from": sender},
        {"topic": "go", "n": 1, "from": sender},
        {"topic": "pair", "n": 2, "from": sender},
    ]
    values = [decoded(headers[f"lua-fleet-messages-{n}"]) for n in range(1, 5)]
    assert values == [{"amount": 2}, None, 1, None] and len(headers) == 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("'@x'", 'cannot send to @ topics: "@x" is reserved'),
        ("1", "bad argument #1 to 'with_message' (string expected, got number)"),
        ("'\\xff'", "is not UTF-8"),
        ("'x', print", 'value 1 of message "x" cannot be sent'),
    ],
)
def test_wrong_messages_raise_at_the_callers_line(bench: Any, call: str, message: str) -> None:
    run = bare(
        bench,
        f"local _, err = pcall(function() local x = process.with_options({{}}):with_message({call}) end) return err",
    )
    text = result(run.start())
    assert text.startswith("wf.lua:2:") and message in text
