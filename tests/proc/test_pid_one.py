"""`fleet supervise` as the first process of a container: it reaps whatever is orphaned there, and TERM drains it."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import cache
from pathlib import Path

import pytest
from supervised import Start, Supervised

CONTAINER = ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]


@cache
def no_containers() -> str:
    """Why there is no first process to be here, "" when there can be."""
    ran = subprocess.run([*CONTAINER, "true"], capture_output=True, text=True)
    return ran.stderr.strip() if ran.returncode else ""


@pytest.fixture
def fleet(start: Start) -> Supervised:
    """A fleet that serves in a PID namespace of its own."""
    why = no_containers()
    if why:
        text = f"a process can only be the first one where unshare(1) makes PID namespaces: {why}"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
    return start(prefix=CONTAINER, workers="2").wait_ready(2)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def outside(first: int, pid: int) -> int:
    """The number here of a child of the first process that knows it as `pid`."""
    numbers = {
        child: Path(f"/proc/{child}/status").read_text().partition("NSpid:")[2].split()[1] for child in children(first)
    }
    return next(child for child, number in numbers.items() if number == str(pid))


def states(pids: list[int]) -> list[str]:
    return [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids]


def test_orphans_are_reaped_and_do_not_disturb(fleet: Supervised) -> None:
    assert fleet.status()["pid"] == 1
    (first,) = children(fleet.process.pid)
    family = children(first)
    inside = ["nsenter", f"--target={first}", "--user", "--preserve-credentials", "--pid", "--mount"]
    # The shell leaves before its children do, some of which end at once and some later.
    script = """
        for n in 1 2 3 4 5 6 7 8; do (sleep 0.$n; exit 7) & sh -c 'kill -9 $$' & done >/dev/null
        sleep 600 >/dev/null & echo $!
    """
    ran = subprocess.run([*inside, "sh", "-c", script], check=True, stdout=subprocess.PIPE, text=True)
    os.kill(outside(first, fleet.pids()[0]), signal.SIGKILL)
    fleet.until(lambda: fleet.events("died"))
    fleet.wait_ready(2)
    assert [event["slot"] for event in fleet.events("died")] == [0]

    def settled() -> bool:
        now = children(first)
        return len(now) == len(family) + 1 and "Z" not in states(now)

    fleet.until(settled)
    # The one that sleeps is not ended, but reaped when it has.
    subprocess.run([*inside, "kill", ran.stdout.strip()], check=True)
    fleet.until(lambda: len(children(first)) == len(family))


def test_term_drains_the_first_process(fleet: Supervised) -> None:
    (first,) = children(fleet.process.pid)
    os.kill(first, signal.SIGTERM)
    # A signal that has its default action does not end a first process: it says how it was ended by its exit code.
    assert fleet.wait() == 128 + signal.SIGTERM
    assert [event["how"] for event in fleet.events("ended")] == ["exit code 0"] * 2
    assert fleet.events("over")
    assert not fleet.socket.exists()


def test_when_the_first_process_is_killed_nothing_is_left(fleet: Supervised) -> None:
    (first,) = children(fleet.process.pid)
    family = [first, *children(first)]
    os.kill(first, signal.SIGKILL)
    assert fleet.wait() != 0
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]
    # Its socket stays, because all workers were killed with it, and is in nobody's way.
    fleet = Supervised(fleet.app, fleet.home, fleet.address, {"workers": "1"}, CONTAINER)
    try:
        fleet.wait_ready(1)
    finally:
        fleet.clean_up()
