"""What the command says to those who use it wrongly, and to those who ask."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from fleet_command import Fleet

from fleet.cli.main import COMMANDS


def test_help_tells_commands_and_exit_codes(fleet: Fleet) -> None:
    for args in ((), ("--help",)):
        done = fleet(*args)
        assert done.code == 0
        for name, text in COMMANDS.items():
            assert re.search(rf"^  {name} +{re.escape(text)}$", done.out, re.MULTILINE), name
        for words in ("exit codes:", "130", "TEMPORAL_ADDRESS"):
            assert words in done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(fleet: Fleet, command: str) -> None:
    done = fleet(command, "--help")
    assert done.code == 0
    assert f"usage: fleet {command}" in done.out


def test_version(fleet: Fleet) -> None:
    done = fleet("--version")
    assert done.code == 0
    assert done.out.startswith("fleet 0.")


def test_unknown_command(fleet: Fleet) -> None:
    done = fleet("chek", "app")
    assert done.code == 2
    assert "unknown command 'chek': did you mean check?" in done.err


def test_unknown_option(fleet: Fleet) -> None:
    done = fleet("check", "--fast")
    assert done.code == 2
    assert "unrecognized arguments: --fast" in done.err


@pytest.mark.parametrize("command", ["check", "dev", "test"])
def test_application_that_is_not_there(fleet: Fleet, command: str) -> None:
    done = fleet(command, "nowhere")
    assert done.code == 2
    assert "error: nowhere does not exist\n    give the directory that holds the application's YAML files" in done.err


def test_application_that_does_not_load(fleet: Fleet) -> None:
    app = fleet.app(_index__yaml="namespace: shop\nentries:\n  - {name: a, kind: function.lua}\n  - {name: b}\n")
    for args in (("call", "shop:a", "--app", app), ("run", "shop:a", "--app", app), ("test", app), ("dev", app)):
        done = fleet(*args)
        assert done.code == 3, args
        assert "app/_index.yaml:3: error: entry shop:a: source: source is required" in done.err
        assert "error: the application" in done.err
        assert "does not load: " in done.err


def test_no_traceback_for_a_users_mistake(fleet: Fleet) -> None:
    app = fleet.app(_index__yaml="namespace: [\n")
    done = fleet("call", "shop:a", "--app", app)
    assert done.code == 3
    assert "Traceback" not in done.err
    fleet.environ["FLEET_DEBUG"] = "1"
    assert "Traceback" in fleet("call", "shop:a", "--app", app).err


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("hello", """is not JSON: hello\n    a string is written with its quotes inside the shell's: '"hello"'"""),
        ("it's", """a string is written with its quotes inside the shell's: '"it'"'"'s"'"""),
        ('{"a": }', 'argument 1 is not JSON: line 1, column 7: Expecting value: {"a": }'),
        ("{'a': 1}", "put the whole argument in single quotes, strings inside it in double quotes"),
        ("NaN", "argument 1 is not JSON: NaN"),
        ("@nowhere.json", "argument 1: cannot read nowhere.json: No such file or directory"),
        ("-", "argument 1 (stdin) is not JSON: line 1, column 1: Expecting value"),
    ],
)
def test_arguments_that_are_not_json(fleet: Fleet, argument: str, message: str) -> None:
    app = fleet.app()
    done = fleet("call", "shop:charge", argument, "--app", app)
    assert done.code == 2
    assert message in done.err
    assert fleet("run", "shop:order", argument, "--app", app).code == 2


def test_entries_that_are_not_there(fleet: Fleet) -> None:
    app = fleet.app()
    for args, message in (
        (("call", "shop:chrge"), "there is no function.lua entry shop:chrge\n    did you mean shop:charge?"),
        (("call", "shop:order"), "shop:order is a workflow, not a function\n    `fleet run shop:order` starts it"),
        (("run", "shop:ordr"), "there is no workflow.lua entry shop:ordr\n    did you mean shop:order?"),
        (("run", "shop:charge"), "shop:charge is a function, not a workflow\n    `fleet call shop:charge` calls it"),
        (("run", "zzz"), "there is no workflow.lua entry zzz\n    known: shop:order"),
    ):
        done = fleet(*args, "--app", app)
        assert done.code == 2
        assert message in done.err


def test_options_that_exclude_each_other(fleet: Fleet) -> None:
    app = fleet.app()
    done = fleet("run", "shop:order", "--app", app, "--embedded", "--address", "localhost:7233")
    assert (done.code, "excludes --address" in done.err) == (2, True)
    done = fleet("dev", app, "--ephemeral", "--data", "x.db")
    assert (done.code, "choose one" in done.err) == (2, True)
    done = fleet("run", "shop:order", "--app", app, "--timeout", "soon")
    assert (done.code, "--timeout soon is not a duration such as 30s or 5m" in done.err) == (2, True)
    assert fleet("dev", app, "--port", "99999").code == 2


def test_options_may_stand_between_arguments(fleet: Fleet) -> None:
    app = fleet.app()
    done = fleet("call", "shop:charge", "--app", app, '{"amount": 1}')
    assert (done.code, done.out) == (0, '{"amount":1,"big":9007199254740993}\n')


@pytest.mark.parametrize("command", [["config"], ["config", "--json"]])
def test_a_result_that_cannot_be_written_is_no_success(command: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "fleet", *command], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "error: " in done.stderr and "space" in done.stderr


def test_an_error_that_cannot_be_written_keeps_its_exit_code() -> None:
    with open("/dev/full", "w") as full:
        assert subprocess.run([sys.executable, "-m", "fleet", "check", "/nowhere"], stderr=full).returncode == 2
