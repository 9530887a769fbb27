"""Settings: precedence, sources, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.supervisor.settings import Settings, SettingsError, names, resolve


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    return file


def test_defaults() -> None:
    settings, found = resolve({}, {}, None)
    assert settings == Settings()
    assert {setting.source for setting in found} == {"default"}
    assert [setting.name for setting in found] == names()
    assert all(setting.meaning and setting.reason and setting.unit for setting in found)


def test_flag_before_environment_before_file_before_default(tmp_path: Path) -> None:
    file = write(tmp_path, "hung_after: 1s\nstuck_after: 2s\nhealthy_after: 3s\n")
    environ = {"FLEET_HUNG_AFTER": "10s", "FLEET_STUCK_AFTER": "20s", "FLEET_DEBUG": "1"}
    settings, found = resolve({"hung_after": "100s", "workers": None}, environ, file)
    assert (settings.hung_after, settings.stuck_after, settings.healthy_after) == (100, 20, 3)
    sources = {setting.name: setting.source for setting in found}
    assert sources["hung_after"] == "--hung-after"
    assert sources["stuck_after"] == "FLEET_STUCK_AFTER"
    assert sources["healthy_after"] == f"{file}:3"
    assert sources["workers"] == "default"


def test_values(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "workers: 3\ncpus: [0-2, 5]\nrecycle_memory: 512MiB\nready_share: 75%\nlisten: off\nlog_format: json\n",
    )
    settings, _ = resolve({}, {}, file)
    assert settings.workers == 3
    assert settings.cpus == (0, 1, 2, 5)
    assert settings.recycle_memory == 512 << 20
    assert settings.ready_share == 75
    assert settings.listen is None
    assert resolve({"listen": "[::1]:0"}, {}, None)[0].listen == ("::1", 0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("workers", "0"),
        ("workers", "many"),
        ("cpus", "3-1"),
        ("cpus", "a"),
        ("worker_drain", "30"),
        ("worker_drain", "-1s"),
        ("recycle_memory", "1MB"),
        ("ready_share", "101%"),
        ("listen", "9600"),
        ("log_format", "xml"),
    ],
)
def test_a_wrong_value_names_setting_source_and_value(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve({}, {f"FLEET_{name.upper()}": text}, None)
    assert str(caught.value).startswith(f"FLEET_{name.upper()}: {name} is {text!r}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("worker: 3\n", ":1: worker is not a setting\n    did you mean workers?"),
        ("\nworkers: {a: 1}\n", ":2: workers must be a single value"),
        ("- 1\n", ":1: must be a map"),
        ("a: [\n", ":"),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        resolve({}, {}, file)
    assert str(caught.value).startswith(f"{file}{message}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml cannot be read: No such file"):
        resolve({}, {}, tmp_path / "none.yaml")


def test_deadlines_nest() -> None:
    with pytest.raises(SettingsError, match="fleet_drain .10 s. is not longer than worker_drain .35 s."):
        resolve({"fleet_drain": "10s"}, {}, None)
    with pytest.raises(SettingsError, match="termination_grace .30 s. is not longer than fleet_drain .45 s."):
        resolve({"termination_grace": "30s"}, {}, None)
    resolve({"termination_grace": "60s"}, {}, None)


def test_settings_of_scaling(tmp_path: Path) -> None:
    file = write(tmp_path, "scaling_limits:\n  - app:a/activity=2-50\n  - app:a/workflow=0-0\nscaling_workers: 2-8\n")
    settings, _ = resolve({"scaling": "off", "scaling_activity_budget": "64"}, {}, file)
    assert settings.scaling_limits == (("app:a/activity", 2, 50), ("app:a/workflow", 0, 0))
    assert (settings.scaling, settings.scaling_workers, settings.scaling_activity_budget) == (False, (2, 8), 64)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scaling", "yes"),
        ("scaling_limits", "app:a/activity"),
        ("scaling_limits", "app:a/activity=5-2"),
        ("scaling_workers", "0-4"),
        ("scaling_workers", "4"),
        ("scaling_activity_budget", "0"),
    ],
)
def test_settings_of_scaling_that_are_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"--{name.replace('_', '-')}: {name} is"):
        resolve({name: text}, {}, None)
