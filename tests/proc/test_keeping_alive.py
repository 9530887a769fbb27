"""Workers that hang, get stuck, grow, age or do not end: told apart, dumped, replaced."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from supervised import OddFleet, Start, alive

RUN = "01a2b3c4-0000-4000-8000-1234567890ab"
Odd = Callable[..., OddFleet]


def test_a_worker_that_hangs_dumps_its_stacks_and_its_run_is_a_suspect(odd: Odd) -> None:
    fleet = odd({1: "1:hang"}, hung_after="3s")
    fleet.until(lambda: len(fleet.events("suspect")) == 2)
    hung, died = fleet.events("hung")[0], fleet.events("died")[0]
    assert hung["slot"] == died["slot"] == 1
    assert hung["run_id"] == died["run_id"] == RUN
    assert died["how"] == "SIGABRT"
    assert "in hang_here" in died["stacks"]
    assert [event["count"] for event in fleet.events("suspect")] == [1, 2]
    assert fleet.status()["quarantine"] == {RUN: 2}
    assert fleet.ask("release", run_id=RUN)["ok"]
    assert fleet.status()["quarantine"] == {}
    assert not fleet.ask("release", run_id=RUN)["ok"]
    assert not [event for event in fleet.events("died") if event["slot"] == 0]


def test_a_worker_whose_activation_does_not_end_is_stuck_and_not_hung(odd: Odd) -> None:
    fleet = odd({1: "0:stuck"}, stuck_after="3s")
    fleet.until(lambda: fleet.events("died"))
    assert not fleet.events("hung")
    assert fleet.events("stuck")[0]["run_id"] == RUN
    assert "in work" in fleet.events("died")[0]["stacks"]


def test_a_worker_that_is_stopped_is_killed_and_replaced(start: Start) -> None:
    fleet = start(workers="2", hung_after="3s").wait_ready(2)
    stopped, other = fleet.pids()
    os.kill(stopped, signal.SIGSTOP)
    fleet.until(lambda: fleet.events("died"))
    fleet.wait_ready(2)
    assert [(event["slot"], event["how"]) for event in fleet.events("died")] == [(0, "SIGKILL")]
    assert fleet.pids()[1] == other and not alive(stopped)


def test_a_fleet_that_was_stopped_as_a_whole_goes_on(odd: Odd) -> None:
    fleet = odd({1: "fine"}, hung_after="3s").wait_ready(2)
    pids = fleet.pids()
    os.killpg(fleet.process.pid, signal.SIGSTOP)
    time.sleep(6)
    os.kill(fleet.process.pid, signal.SIGCONT)
    time.sleep(1)
    os.killpg(fleet.process.pid, signal.SIGCONT)
    time.sleep(2)
    assert fleet.pids() == pids
    assert not fleet.events("hung")


def test_old_workers_are_replaced_one_at_a_time(odd: Odd) -> None:
    fleet = odd({1: "fine"}, recycle_age="2s").wait_ready(2)
    fleet.until(lambda: len(fleet.events("ended")) >= 4)
    assert {event["reason"] for event in fleet.events("ended")} == {"age"}
    serving = 0
    for event in fleet.events():
        serving += {"ready": 1, "end": -1}.get(event["event"], 0)
        assert serving >= 1 or not fleet.events("end") or event["event"] in ("begin", "start", "ready")


def test_a_worker_that_is_too_big_is_replaced(odd: Odd) -> None:
    fleet = odd({1: "1:fat"}, recycle_memory="150MiB")
    fleet.until(lambda: fleet.events("ended"))
    assert [(event["slot"], event["reason"]) for event in fleet.events("ended")] == [(1, "memory")]


def test_a_worker_that_does_not_end_is_killed_at_its_deadline(odd: Odd) -> None:
    fleet = odd({1: "1:deaf"}, worker_drain="2s", fleet_drain="20s").wait_ready(2)
    assert fleet.stop() == 143
    assert [(event["slot"], event["how"]) for event in fleet.events("ended")] == [(0, "exit code 0"), (1, "SIGKILL")]
    assert fleet.events("over")[0]["seconds"] < 20


def test_the_second_signal_is_quick(odd: Odd) -> None:
    fleet = odd({1: "deaf"}, worker_drain="50s", fleet_drain="100s").wait_ready(2)
    fleet.process.send_signal(signal.SIGTERM)
    fleet.until(lambda: fleet.events("drain"))
    time.sleep(0.6)
    assert fleet.stop() == 143
    assert len(fleet.events("quick")) == 1
    assert {event["how"] for event in fleet.events("ended")} == {"SIGKILL"}


def test_a_configuration_error_of_one_worker_does_not_end_the_others(odd: Odd) -> None:
    fleet = odd({1: "1:code 3"})
    fleet.until(lambda: len(fleet.events("died")) == 3)
    assert fleet.status()["serving"] == 1


def test_a_configuration_error_of_all_workers_ends_the_fleet_at_once(odd: Odd) -> None:
    fleet = odd({1: "code 3"})
    assert fleet.wait() == 3
    assert len(fleet.events("died")) == 2


def test_more_and_fewer_workers(odd: Odd) -> None:
    fleet = odd({1: "fine"}).wait_ready(2)
    fleet.process.send_signal(signal.SIGTTIN)
    fleet.wait_ready(3)
    fleet.process.send_signal(signal.SIGTTOU)
    fleet.wait_ready(2)
    assert fleet.ask("scale", workers=4)["workers"] == 4
    fleet.wait_ready(4)
    assert fleet.ask("scale", workers=1)["workers"] == 1
    fleet.wait_ready(1)
    fleet.until(lambda: len(fleet.events("ended")) == 4)
    fleet.process.send_signal(signal.SIGTTOU)
    fleet.until(lambda: len(fleet.events("scale")) == 5)
    assert fleet.status()["target"] == 1
    assert {event["reason"] for event in fleet.events("ended")} == {"scale"}


def test_usr1_logs_the_state(odd: Odd) -> None:
    fleet = odd({1: "fine"}).wait_ready(2)
    fleet.process.send_signal(signal.SIGUSR1)
    state = fleet.until(lambda: fleet.events("state"))[0]
    assert [worker["pid"] for worker in state["status"]["workers"]] == fleet.pids()
    assert state["message"].startswith("2 of 2 workers serve, generation 1")


def test_a_reload_replaces_one_worker_after_the_other(odd: Odd) -> None:
    fleet = odd({1: "fine", 2: "fine"}).wait_ready(2)
    before = fleet.pids()
    assert fleet.ask("reload") == {"ok": True, "error": ""}
    status = fleet.status()
    assert status["generation"] == 2 and status["serving"] == 2
    assert not set(before) & set(fleet.pids())
    steps = [(event["event"], event["slot"]) for event in fleet.events() if event["event"] in ("end", "ready")]
    assert steps[2:] == [("end", 0), ("ready", 0), ("end", 1), ("ready", 1)]


def test_while_the_only_worker_is_replaced_another_one_stands_in(odd: Odd) -> None:
    fleet = odd({1: "fine", 2: "fine"}, workers="1").wait_ready(1)
    assert fleet.ask("reload") == {"ok": True, "error": ""}
    fleet.wait_ready(1)
    fleet.until(lambda: len(fleet.events("ended")) == 2)
    steps = [(event["event"], event["slot"]) for event in fleet.events() if event["event"] in ("end", "ready")]
    assert steps == [("ready", 0), ("ready", 1), ("end", 0), ("ready", 0), ("end", 1)]
    workers = fleet.status()["workers"]
    assert [(worker["slot"], worker["generation"]) for worker in workers] == [(0, 2)]


def test_the_only_worker_goes_on_when_the_new_code_does_not_come_to_serve(odd: Odd) -> None:
    fleet = odd({1: "fine", 2: "code 70"}, workers="1").wait_ready(1)
    before = fleet.pids()
    answer = fleet.ask("reload")
    assert not answer["ok"] and "all go back to the old code" in answer["error"]
    assert fleet.wait_ready(1).pids() == before
    assert not fleet.events("end")


def test_new_code_that_only_the_stand_in_serves_is_taken_back(odd: Odd) -> None:
    fleet = odd({1: "fine", 2: "0:code 70", 3: "fine"}, workers="1").wait_ready(1)
    answer = fleet.ask("reload")
    assert not answer["ok"] and "all go back to the old code" in answer["error"]
    fleet.wait_ready(1)
    fleet.until(lambda: [(one["slot"], one["generation"]) for one in fleet.status()["workers"]] == [(0, 3)])
    served = [event["event"] for event in fleet.events() if event["event"] in ("ready", "end", "died")]
    assert served == ["ready", "ready", "end", "died", "ready", "end"]


def test_a_stand_in_becomes_a_worker_when_one_more_is_wanted(odd: Odd) -> None:
    fleet = odd({1: "fine", 2: "fine"}, workers="1", recycle_age="3s").wait_ready(1)
    fleet.until(lambda: fleet.events("stand-in"))
    assert fleet.ask("scale", workers=2)["ok"]
    fleet.wait_ready(2)
    assert [worker["slot"] for worker in fleet.status()["workers"]] == [0, 1]


def test_what_does_not_validate_leaves_the_old_code_running(odd: Odd, tmp_path: Path) -> None:
    fleet = odd({1: "fine"}).wait_ready(2)
    before = fleet.pids()
    (tmp_path / "problems").write_text("flow.lua:3: it is wrong")
    assert fleet.ask("reload") == {"ok": False, "error": "flow.lua:3: it is wrong"}
    assert fleet.pids() == before
    (tmp_path / "problems").unlink()
    (fleet.app / "_index.yaml").write_text("nonsense: [")
    answer = fleet.ask("reload")
    assert not answer["ok"] and "_index.yaml" in answer["error"]
    assert fleet.pids() == before and fleet.status()["generation"] == 1


@pytest.mark.parametrize("broken", ["code 3", "1:code 70"])
def test_new_code_that_does_not_come_to_serve_is_taken_back(odd: Odd, broken: str) -> None:
    fleet = odd({1: "fine", 2: broken, 3: "fine"}).wait_ready(2)
    answer = fleet.ask("reload")
    assert not answer["ok"] and "all go back to the old code" in answer["error"]
    fleet.wait_ready(2)
    assert fleet.until(lambda: {worker["generation"] for worker in fleet.status()["workers"]} == {3})
    assert fleet.process.poll() is None


def test_a_pinned_version_gets_no_other_code(odd: Odd, app: Path) -> None:
    index = app / "_index.yaml"
    versioned = "{use_versioning: true, deployment_name: d, build_id: b, default_versioning_behavior: pinned}"
    index.write_text(
        index.read_text().replace('client: "app:temporal",', f'client: "app:temporal", worker_options: {versioned},')
    )
    fleet = odd({1: "fine"}).wait_ready(2)
    before = fleet.pids()
    answer = fleet.ask("reload")
    assert not answer["ok"] and answer["error"].startswith("app:worker is versioned and pinned")
    fleet.process.send_signal(signal.SIGHUP)
    fleet.until(lambda: len(fleet.events("reload-refused")) == 2)
    assert fleet.pids() == before


def test_a_version_that_the_environment_pins_gets_no_other_code(odd: Odd) -> None:
    environ = {"TEMPORAL_DEPLOYMENT_NAME": "shop", "TEMPORAL_DEFAULT_VERSIONING_BEHAVIOR": "pinned"}
    fleet = odd({1: "fine"}, environ=environ).wait_ready(2)
    answer = fleet.ask("reload")
    assert not answer["ok"] and answer["error"].startswith("the worker deployment shop is versioned and pinned")


def test_systemd_is_told(odd: Odd, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        fleet = odd({1: "fine", 2: "fine"}, environ=environ)
        told: list[str] = []

        def wait_for(word: str) -> None:
            while not told or word not in told[-1]:
                told.append(manager.recv(4096).decode())

        wait_for("READY=1")
        wait_for("WATCHDOG=1")
        fleet.process.send_signal(signal.SIGHUP)
        wait_for("RELOADING=1")
        assert "MONOTONIC_USEC=" in told[-1]
        wait_for("READY=1")
        fleet.process.send_signal(signal.SIGTERM)
        wait_for("STOPPING=1")
        assert fleet.wait() == 143


def test_the_control_socket_stands_nonsense(odd: Odd) -> None:
    fleet = odd({1: "fine"}).wait_ready(2)
    for data in (b"\n", b"{}\n", b"[1]\n", b'{"command": "scale", "workers": "2"}\n', b'{"command": 7}\n'):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(fleet.socket))
            connection.sendall(data)
            assert b'"ok": false' in connection.recv(4096)
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as flood:
        silent.connect(str(fleet.socket))
        flood.connect(str(fleet.socket))
        with suppress(BrokenPipeError):
            flood.sendall(b"x" * 30000)
        with suppress(ConnectionResetError):
            assert flood.recv(1) == b""
        assert fleet.status()["serving"] == 2
