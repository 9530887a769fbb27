"""`fleet config`: what is effective, and why."""

from __future__ import annotations

import json

from fleet_command import Fleet


def test_values_with_their_sources(fleet: Fleet) -> None:
    (fleet.home / "fleet.yaml").write_text("workers: 2\nhung_after: 20s\n")
    fleet.environ["FLEET_HUNG_AFTER"] = "30s"
    done = fleet("config", "--json", "--ready-share", "100%")
    assert done.code == 0, done.err
    found = {setting["name"]: (setting["text"], setting["source"]) for setting in json.loads(done.out)}
    assert found["workers"] == ("2", "fleet.yaml:1")
    assert found["hung_after"] == ("30s", "FLEET_HUNG_AFTER")
    assert found["ready_share"] == ("100%", "--ready-share")
    assert found["stuck_after"] == ("60s", "default")


def test_what_it_prints_is_a_file_with_the_same_meaning(fleet: Fleet) -> None:
    printed = fleet("config", "--listen", "off", "--cpus", "0-1").out
    (fleet.home / "again.yaml").write_text(printed)
    first, again = (
        json.loads(fleet("config", "--json", *more).out)
        for more in (("--listen", "off", "--cpus", "0-1"), ("--config", "again.yaml"))
    )
    assert [setting["text"] for setting in first] == [setting["text"] for setting in again]


def test_each_setting_is_explained(fleet: Fleet) -> None:
    done = fleet("config", "--explain")
    assert (
        done.out.count("why this default: ")
        == done.out.count("unit: ")
        == len(json.loads(fleet("config", "--json").out))
    )


def test_a_wrong_setting_is_a_configuration_error(fleet: Fleet) -> None:
    done = fleet("config", "--worker-drain", "1h")
    assert done.code == 3
    assert done.err == (
        "error: fleet_drain (45 s) is not longer than worker_drain (3600 s)\n"
        "    whoever waits outside would kill what still has time inside: raise fleet_drain or lower worker_drain\n"
    )
