"""fleet replay: files and runs on a server, lines and JSON, exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from fleet_command import ORDER, Dev, Fleet

FACTS = {"file", "workflow_id", "run_id", "workflow_type", "status", "lane", "activations", "seconds"}


def test_runs_on_the_server(shared_fleet: Fleet, dev: Dev) -> None:
    for id in ("r1", "r2", "r3"):
        order = f'{{"id": "{id}", "amount": 1}}'
        assert shared_fleet("run", "shop:order", order, "--app", "app", "--id", id).code == 0
    done = shared_fleet("replay", "app", "--workflow-id", "r1", "--workflow-id", "r2", "--json", "--repeat", "3")
    assert done.code == 0
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["workflow_id"], line["status"], line["lane"]) for line in lines] == [
        ("r1", "ok", "fast"),
        ("r2", "ok", "fast"),
    ]
    assert set(lines[0]) == FACTS
    assert lines[0]["activations"] >= 3
    assert lines[0]["seconds"] > 0

    done = shared_fleet("replay", "app", "--query", 'WorkflowType = "shop:order"', "-j", "2")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "3 histories: 3 ok"
    assert done.err == ""


def test_code_that_does_not_fit(shared_fleet: Fleet, dev: Dev) -> None:
    assert shared_fleet("run", "shop:order", '{"id": "1", "amount": 1}', "--app", "app", "--id", "d1").code == 0
    other = shared_fleet.app("changed", order__lua=ORDER.replace("time.sleep", "-- no sleep"))
    done = shared_fleet("replay", other, "--workflow-id", "d1", "--address", dev.address)
    assert done.code == 1
    assert "DIFFERS  d1  shop:order d1 run " in done.out
    assert "the code completes the workflow (after order.lua:3), where history has event " in done.out
    assert "TimerStarted" in done.out
    assert "Temporal says: [TMPRL1100]" in done.out
    assert done.out.splitlines()[-1] == "1 history: 0 ok, 1 different"
    done = shared_fleet("replay", other, "--workflow-id", "d1", "--address", dev.address, "--json")
    facts = json.loads(done.out)
    assert (done.code, facts["status"], facts["divergence"]["after"]) == (1, "nondeterminism", "order.lua:3")


def test_refusals_of_the_server(shared_fleet: Fleet, dev: Dev) -> None:
    done = shared_fleet("replay", "app", "--workflow-id", "nobody")
    assert done.code == 4
    assert "the Temporal server refuses: " in done.err
    done = shared_fleet("replay", "app", "--query", "this is no query")
    assert (done.code, "the Temporal server refuses: " in done.err) == (4, True)
    done = shared_fleet("replay", "app", "--query", 'WorkflowType = "none"')
    assert (done.code, "no run on the server matches the query" in done.err) == (1, True)


def test_refusals_of_the_command_line(fleet: Fleet) -> None:
    app = fleet.app()
    done = fleet("replay", app)
    assert (done.code, "nothing to replay: give history files, --workflow-id or --query" in done.err) == (2, True)
    (fleet.home / "empty").mkdir()
    done = fleet("replay", app, "empty")
    assert (done.code, "empty: no histories in this directory" in done.err) == (2, True)
    done = fleet("replay", app, "nowhere.json")
    assert done.code == 1
    assert done.out.startswith("ERROR    nowhere.json\n    cannot be read: No such file or directory\n")
    assert done.out.endswith("1 history: 0 ok, 1 not replayed\n")
    assert fleet("replay", app, "x.json", "-j", "0").code == 2


def test_ctrl_c_while_waiting_leaves_the_run_alone(shared_fleet: Fleet, dev: Dev) -> None:
    command = [sys.executable, "-m", "fleet", "run", "shop:order", '{"id": "c", "amount": 1, "wait": "1h"}']
    waiting = subprocess.Popen(
        [*command, "--app", "app", "--id", "c1"],
        cwd=shared_fleet.home,
        env=shared_fleet.environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiting.stderr is not None
    assert "shop:order runs as c1" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (130, "")
    assert err == "c1 goes on\n"
