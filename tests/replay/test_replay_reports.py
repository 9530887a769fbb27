"""What a replay says of code that fits its history, and of code that does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_run import INDEX, ORDER, Recorded, Replay, write_app

from fleet.replay import Job, replay_all
from fleet.replay.session import ReplaySession


async def test_same_code_fits(replay: Replay) -> None:
    report = await replay()
    assert (report.status, report.message, report.workflow_type) == ("ok", "", "OrderType")
    assert report.activations >= 3
    assert report.seconds > 0
    assert report.workflow_id.startswith("order-")
    assert report.run_id


async def test_change_that_alters_no_command_fits(replay: Replay) -> None:
    assert (await replay("local charge =", "local a, b = 1, 2\n    local charge =")).status == "ok"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'funcs.call("shop:charge", order)',
            'funcs.call("shop:quack", order)',
            "the code calls activity shop:quack (id 1) at order.lua:3, where history has event 7,"
            " ActivityTaskScheduled (shop:charge, 1)",
        ),
        (
            'local charge = funcs.call("shop:charge", order)',
            'time.sleep("1s")',
            "the code starts timer 1 at order.lua:3, where history has event 7, ActivityTaskScheduled (shop:charge, 1)",
        ),
        (
            '    time.sleep("20ms")\n',
            "",
            "the code completes the workflow (after order.lua:4), where history has event ",
        ),
        (
            'time.sleep("20ms")',
            "error({})",
            "the code fails the workflow (error object is a table)",
        ),
        (
            'time.sleep("20ms")',
            'coroutine.spawn(function()\n  time.sleep("1h") end) time.sleep("20ms")',
            # The timer of the coroutine comes second: coroutines run after the one that started them.
            "the code starts timer 4 at order.lua:6, where history has nothing more between event ",
        ),
    ],
)
async def test_divergence_names_line_and_event(replay: Replay, old: str, new: str, sentence: str) -> None:
    report = await replay(old, new)
    assert report.status == "nondeterminism"
    assert report.divergence is not None
    assert report.divergence.render().startswith(sentence)
    assert report.message.startswith("[TMPRL1100] Nondeterminism error: ")
    assert "Failure {" not in report.message


async def test_version_that_is_gone(replay: Replay) -> None:
    report = await replay('workflow.version("tax", 1, 2)', "2")
    assert report.status == "nondeterminism"
    assert report.divergence is not None
    assert "a version (tax-2)" in report.divergence.event
    assert report.divergence.event_id == 5


async def test_local_activity_that_is_gone(replay: Replay) -> None:
    report = await replay('funcs.call("shop:quick", order)', "nil")
    assert report.status != "ok"


async def test_task_that_fails_has_the_lua_traceback(replay: Replay) -> None:
    report = await replay('time.sleep("20ms")', "while true do end")
    assert report.status == "failed"
    assert "an endless loop?" in report.message
    assert "order.lua:5: in " in report.stack


async def test_unknown_type(replay: Replay) -> None:
    report = await replay(index=INDEX.replace("name: OrderType", "name: OrderTypo"))
    assert report.status == "error"
    assert report.message == "the application has no workflow of the type OrderType: did you mean OrderTypo?"


async def test_a_session_goes_on_after_what_does_not_fit(recorded: Recorded, tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", ORDER.replace('"20ms"', 'order.nap or "20ms"').replace("tax", "tux"))
    async with ReplaySession.open(app) as session:
        for _ in range(3):
            assert (await session.replay(recorded.history)).status == "nondeterminism"


async def test_every_beginning_of_a_history_fits(recorded: Recorded, tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", ORDER)
    events = recorded.history.events
    async with ReplaySession.open(app) as session:
        for length in range(1, len(events) + 1):
            beginning = type(recorded.history)(recorded.history.workflow_id, events[:length])
            report = await session.replay(beginning)
            assert (report.status, report.message) == ("ok", ""), f"the first {length} events"
        assert report.activations >= 3


@pytest.mark.parametrize("processes", [1, 2])
async def test_batch_keeps_the_order(recorded: Recorded, tmp_path: Path, processes: int) -> None:
    app = write_app(tmp_path / "app", ORDER)
    jobs = [
        Job("file", path=recorded.exported),
        Job("none.json", path=tmp_path / "none.json"),
        Job("server", history=recorded.history),
        Job("again", path=recorded.exported),
    ]
    found = [(job.name, report.status) async for job, report in replay_all(app, jobs, processes=processes)]
    assert found == [("file", "ok"), ("none.json", "error"), ("server", "ok"), ("again", "ok")]
