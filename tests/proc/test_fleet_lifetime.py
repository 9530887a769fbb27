"""How fleets begin and end: signals, exit codes, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from supervised import Start, alive, free_port, until


def test_a_worker_for_each_cpu_that_is_allowed_and_pinned_to_it(start: Start) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    fleet = start().wait_ready(len(cpus))
    assert [os.sched_getaffinity(pid) for pid in fleet.pids()] == [{cpu} for cpu in cpus]


def test_one_cpu_of_the_mask_is_one_worker(start: Start) -> None:
    cpu = max(os.sched_getaffinity(0))
    fleet = start(prefix=["taskset", "-c", str(cpu)]).wait_ready(1)
    assert fleet.status()["workers"][0]["cpu"] == cpu


def test_workers_that_are_not_pinned_may_use_all_cpus_of_the_mask(start: Start) -> None:
    fleet = start(workers="2", pin="off").wait_ready(2)
    assert [os.sched_getaffinity(pid) for pid in fleet.pids()] == [os.sched_getaffinity(0)] * 2
    assert [worker["cpu"] for worker in fleet.status()["workers"]] == [None, None]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_ends_all_and_the_fleet_dies_by_the_signal(start: Start, number: int, tmp_path: Path) -> None:
    fleet = start(workers="2", pid_file=str(tmp_path / "fleet.pid")).wait_ready(2)
    pids = fleet.pids()
    assert (tmp_path / "fleet.pid").read_text() == f"{fleet.process.pid}\n"
    assert stat.S_IMODE(fleet.socket.stat().st_mode) == 0o600
    assert fleet.stop(number) == -number
    assert not any(alive(pid) for pid in pids)
    assert not fleet.socket.exists() and not (tmp_path / "fleet.pid").exists()
    assert [event["how"] for event in fleet.events("ended")] == ["exit code 0"] * 2


def test_ctrl_c_reaches_all_processes_and_is_the_supervisors_decision(start: Start) -> None:
    fleet = start(workers="2").wait_ready(2)
    os.killpg(fleet.process.pid, signal.SIGINT)
    assert fleet.wait() == -signal.SIGINT
    assert [event["how"] for event in fleet.events("ended")] == ["exit code 0"] * 2


def test_a_worker_that_was_killed_is_begun_again(start: Start) -> None:
    fleet = start(workers="2").wait_ready(2)
    first, second = fleet.pids()
    os.kill(first, signal.SIGKILL)
    fleet.until(lambda: fleet.events("died"))
    fleet.wait_ready(2)
    workers = fleet.status()["workers"]
    assert workers[0]["pid"] not in (0, first) and workers[1]["pid"] == second
    assert [worker["restarts"] for worker in workers] == [1, 0]
    died = fleet.events("died")
    assert [(event["slot"], event["how"], event["delay"]) for event in died] == [(0, "SIGKILL", 1.0)]


def test_when_the_supervisor_is_killed_the_workers_leave_and_clean_up(start: Start, tmp_path: Path) -> None:
    fleet = start(workers="2", pid_file=str(tmp_path / "fleet.pid")).wait_ready(2)
    pids = fleet.pids()
    fleet.stop(signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids), lambda: fleet.text)
    assert not fleet.socket.exists() and not (tmp_path / "fleet.pid").exists()


def test_a_second_fleet_is_refused_and_a_dead_ones_files_are_not_in_the_way(start: Start, tmp_path: Path) -> None:
    fleet = start(workers="1", pid_file=str(tmp_path / "fleet.pid")).wait_ready(1)
    second = start(workers="1")
    assert second.wait() == 3
    assert "is in use: a fleet runs already" in second.text
    assert fleet.status()["serving"] == 1
    fleet.stop()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(fleet.socket))
    (tmp_path / "fleet.pid").write_text("999999999\n")
    start(workers="1", pid_file=str(tmp_path / "fleet.pid")).wait_ready(1)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("_index.yaml", "version: '1.0'\nnamespace: app\nentries: [{name: a, kind: workflow.lua}]\n", "source"),
        ("flow.lua", "local function main( return 1 end\n", "flow.lua:1"),
    ],
)
def test_an_application_with_an_error_ends_the_fleet(
    start: Start, app: Path, file: str, text: str, message: str
) -> None:
    (app / file).write_text(text)
    fleet = start(workers="2")
    assert fleet.wait() == 3
    assert message in fleet.text
    assert not fleet.socket.exists()


def test_what_no_worker_can_serve_ends_the_fleet(start: Start, app: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with (app / "_index.yaml").open("a") as index:
            index.write(
                f"  - {{name: http, kind: http.service, addr: '127.0.0.1:{taken.getsockname()[1]}', lifecycle: {{auto_start: true}}}}\n"
            )
        fleet = start(workers="2")
        assert fleet.wait() == 3
    assert "cannot listen on 127.0.0.1" in fleet.text
    assert fleet.events("drain")[0]["message"].endswith("no worker can serve the application as it is configured")


def test_a_worker_may_not_stop_later_than_it_is_killed(start: Start, app: Path) -> None:
    index = app / "_index.yaml"
    index.write_text(
        index.read_text().replace(
            'client: "app:temporal",', 'client: "app:temporal", worker_options: {worker_stop_timeout: 1m},'
        )
    )
    fleet = start(workers="1")
    assert fleet.wait() == 3
    assert "worker_stop_timeout (60 s) is not shorter than worker_drain (35 s)" in fleet.text


def test_a_server_that_cannot_be_reached_is_tried_again_with_growing_delays(start: Start) -> None:
    fleet = start(workers="1", address=f"127.0.0.1:{free_port()}")
    fleet.until(lambda: len(fleet.events("died")) == 3)
    assert [(event["how"], event["delay"]) for event in fleet.events("died")] == [("exit code 4", d) for d in (1, 1, 2)]
    assert fleet.stop() == -signal.SIGTERM


def test_http_services_share_their_port(start: Start, app: Path) -> None:
    port = free_port()
    with (app / "_index.yaml").open("a") as index:
        index.write(
            f"  - {{name: http, kind: http.service, addr: '127.0.0.1:{port}', lifecycle: {{auto_start: true}}}}\n"
        )
    fleet = start(workers="2").wait_ready(2)
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if line.split()[3] == "0A"]
    assert listening.count(f"0100007F:{port:04X}") == 2
    fleet.stop()
