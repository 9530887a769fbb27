"""fleet dev: what it says, reload, restart, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from fleet_command import INDEX, ORDER, Fleet


def server_pids(data: Path) -> list[int]:
    """Processes that were started on `data`, a file or a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(data) in command:
                found.append(int(entry.name))
    return found


def run(fleet: Fleet, *args: str) -> str:
    done = fleet("run", "shop:order", '{"id": "1", "amount": 1}', "--app", "app", *args)
    assert done.code == 0, done.err
    return done.out


def test_says_what_it_serves_reloads_and_leaves_nothing(fleet: Fleet) -> None:
    app = fleet.app()
    dev = fleet.dev(app)
    for words in (
        "Web UI    http://127.0.0.1:",
        "Temporal  127.0.0.1:",
        "data      state/lua-fleet/app-",
        "worker    shop:worker  task queue shop, namespace default",
        "workflow  shop:order",
        "activity  shop:charge",
        "start one:  fleet run shop:order --app ",
    ):
        assert words in dev.text
    assert run(fleet) == '{"charge":{"amount":1,"big":9007199254740993},"id":"1"}\n'

    # Saved and good: the new code answers.
    (app / "order.lua").write_text(ORDER.replace("id = order.id", "id = 'new'"))
    dev.wait_for("reloaded")
    assert '"id":"new"' in run(fleet)

    # Saved and broken: told, and the code from before goes on.
    (app / "order.lua").write_text("return {\n")
    dev.wait_for("not reloaded, the code from before goes on running")
    assert "app/order.lua:" in dev.text
    assert '"id":"new"' in run(fleet)
    (app / "_index.yaml").write_text(INDEX.replace("kind: workflow.lua", "kind: workflow.lau"))
    dev.wait_for("not reloaded, the code from before goes on running", times=2)
    assert '"workflow.lau"' in dev.text

    # A second server on the same data is refused, with the way out.
    (app / "_index.yaml").write_text(INDEX)
    (app / "order.lua").write_text(ORDER)
    dev.wait_for("reloaded", times=2)
    second = fleet("dev", app)
    assert second.code == 4
    assert "is in use by another embedded Temporal server (pid " in second.err

    # What is open goes on after a restart.
    order = '{"id": "w", "amount": 1, "wait": "3s"}'
    assert fleet("run", "shop:order", order, "--app", "app", "--detach", "--id", "w").code == 0
    assert server_pids(fleet.home / "state")
    assert dev.stop(signal.SIGTERM) == 143
    assert server_pids(fleet.home / "state") == []
    again = fleet.dev(app)
    assert again.address == dev.address
    deadline = time.monotonic() + 60
    while (replayed := json.loads(fleet("replay", app, "--workflow-id", "w", "--json").out))["activations"] < 3:
        assert time.monotonic() < deadline, "the run does not go on after the restart"
    assert replayed["status"] == "ok"
    assert again.stop(signal.SIGINT) == 130
    assert server_pids(fleet.home / "state") == []
    assert "Traceback" not in again.text + dev.text


def test_dies_without_leaving_a_server(fleet: Fleet) -> None:
    dev = fleet.dev(fleet.app(), "--data", "here.db", "--no-reload")
    assert "data      here.db" in dev.text
    assert dev.stop(signal.SIGKILL) == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while server_pids(fleet.home / "here.db"):
        assert time.monotonic() < deadline, "the server has outlived its parent"
        time.sleep(0.05)


def test_taken_port(fleet: Fleet) -> None:
    app = fleet.app()
    dev = fleet.dev(app, "--ephemeral", "--no-reload")
    assert "data      in memory" in dev.text
    port = dev.address.rpartition(":")[2]
    done = fleet("dev", app, "--ephemeral", "--port", port)
    assert done.code == 4
    assert f"port {port} (Temporal frontend) is in use by another process" in done.err
    assert dev.stop() == 130
