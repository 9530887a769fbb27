"""env.* entries and the environment they make (registry.md, section 7)."""

from __future__ import annotations

import os
import stat
from multiprocessing import get_context
from pathlib import Path

import pytest
from registry_sandbox import Sandbox

from fleet.registry import App, EnvError, EnvNotFound, EnvReadOnly
from fleet.registry.dotenv import DotenvError, parse, with_value
from fleet.registry.env_storage import FileStorage

STORAGES = """
- {name: memory, kind: env.storage.memory}
- {name: os, kind: env.storage.os}
- {name: static, kind: env.storage.static, values: {A: fixed, PORT: 8080, FLAG: yes, EMPTY: ""}}
- {name: router, kind: env.storage.router, storages: ["app:memory", "app:static", "app:os"]}
- {name: file, kind: env.storage.file, file_path: env/app.env, auto_create: true, file_mode: 0600, dir_mode: "0700"}
"""


@pytest.fixture
def loaded(app: Sandbox) -> App:
    app.environ = {"A": "from-os", "HOME": "/home/me"}
    app.entries(
        STORAGES
        + """
- {name: a, kind: env.variable, variable: A, storage: "app:router"}
- {name: port, kind: env.variable, variable: PORT, storage: "app:static"}
- {name: flag, kind: env.variable, variable: FLAG, storage: "app:static"}
- {name: home, kind: env.variable, variable: HOME, storage: "app:os"}
- {name: empty, kind: env.variable, variable: EMPTY, storage: "app:static", default: 5}
- {name: unset, kind: env.variable, variable: UNSET, storage: "app:memory"}
- {name: private, kind: env.variable, storage: "app:memory", default: hidden}
- {name: fixed, kind: env.variable, variable: FIXED, storage: "app:memory", default: x, readonly: true}
- {name: saved, kind: env.variable, variable: SAVED, storage: "app:file"}
"""
    )
    return app.load()


def test_a_variable_is_found_by_public_name_by_id_and_by_name_in_the_namespace(loaded: App) -> None:
    env = loaded.env
    assert env.get("A") == env.get("app:a") == env.get("a", "app") == "fixed"
    assert env.get("private", "app") == env.get("app:private") == "hidden"
    with pytest.raises(EnvNotFound, match="variable a is not declared"):
        env.get("a", "other")
    assert list(loaded.variables) == [
        f"app:{name}" for name in ["a", "port", "flag", "home", "empty", "unset", "private", "fixed", "saved"]
    ]


def test_values_are_texts_as_written(loaded: App) -> None:
    assert (loaded.env.get("PORT"), loaded.env.get("FLAG"), loaded.env.get("HOME")) == ("8080", "yes", "/home/me")


def test_an_empty_value_counts_as_unset(loaded: App) -> None:
    assert loaded.env.get("EMPTY") == "5"
    with pytest.raises(EnvNotFound, match="variable UNSET is not set") as caught:
        loaded.env.get("UNSET")
    assert caught.value.kind == "NOT_FOUND"
    with pytest.raises(KeyError):
        loaded.env.get("UNSET")


def test_a_name_of_the_operating_system_is_no_variable(loaded: App) -> None:
    with pytest.raises(EnvNotFound, match="variable PATH is not declared"):
        loaded.env.get("PATH")
    with pytest.raises(EnvNotFound, match="is not declared"):
        loaded.env.set("PATH", "x")


def test_writes_go_to_the_first_storage_of_a_router(loaded: App) -> None:
    loaded.env.set("A", "mine")
    assert loaded.env.get("A") == "mine"
    loaded.env.set("UNSET", "now set")
    assert loaded.env.get("unset", "app") == "now set"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FIXED", "variable FIXED is read-only"),
        ("PORT", "storage app:static is read-only"),
        ("HOME", "storage app:os is read-only"),
    ],
)
def test_what_is_read_only_refuses_writes(loaded: App, name: str, message: str) -> None:
    before = loaded.env.get(name)
    with pytest.raises(EnvReadOnly, match=message) as caught:
        loaded.env.set(name, "x")
    assert caught.value.kind == "PERMISSION_DENIED"
    assert loaded.env.get(name) == before


def test_all_variables_with_a_value(loaded: App) -> None:
    assert loaded.env.get_all() == {
        "A": "fixed",
        "PORT": "8080",
        "FLAG": "yes",
        "HOME": "/home/me",
        "EMPTY": "5",
        "app:private": "hidden",
        "FIXED": "x",
    }


def test_a_file_is_made_on_the_first_write_with_the_modes_of_the_entry(loaded: App, app: Sandbox) -> None:
    os.umask(os.umask(0o022))
    loaded.env.set("SAVED", 'two words and a "quote"\nand a line')
    path = app.root / "env/app.env"
    assert loaded.env.get("SAVED") == 'two words and a "quote"\nand a line'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert app.load().env.get("SAVED") == loaded.env.get("SAVED")


def test_a_storage_file_that_another_process_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# comment\nA=1\nB=2\n")
    storage, other = FileStorage("app:file", path), FileStorage("app:file", path)
    assert storage.get("A") == "1"
    other.set("A", "3")
    assert storage.get("A") == "3"
    assert path.read_text() == "# comment\nA=3\nB=2\n"


def _write_many(path: Path, name: str) -> None:
    storage = FileStorage("app:file", path)
    for number in range(50):
        storage.set(name, str(number))


def test_processes_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.touch()
    context = get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, name)) for name in ("A", "B")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert parse(path.read_text()) == {"A": "49", "B": "49"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("kind: env.storage.file", "file_path: file_path is required"),
        ("kind: env.storage.file, file_path: none.env", "none.env does not exist, and auto_create is not set"),
        ("kind: env.storage.file, file_path: bad.env", "bad.env: line 2 is not NAME=value"),
        ('kind: env.storage.file, file_path: "a\\0b"', "file_path: is not a path: it holds a zero byte"),
        ("kind: env.storage.file, file_path: latin.env", "latin.env is not UTF-8 text"),
        ("kind: env.storage.file, file_path: folder", "folder cannot be read: Is a directory"),
        (
            "kind: env.storage.file, file_path: x, auto_create: true, file_mode: rw",
            'file_mode: is not a file mode (got "rw", expected permission bits such as 0644)',
        ),
        ("kind: env.storage.file, file_path: x, auto_create: true, dir_mode: 99999", "dir_mode: is not a file mode"),
        ("kind: env.storage.router", "storages: at least one storage is required"),
        ("kind: env.storage.router, storages: []", "storages: at least one storage is required"),
        (
            "kind: env.storage.router, storages: [memory]",
            'storages.0: must be a full entry id (got "memory", expected namespace:name)\n    write app:memory',
        ),
        ("kind: env.storage.router, storages: ['app:memry']", "which does not exist"),
        ("kind: env.storage.router, storages: ['app:x']", "storages refer to each other in a circle: app:x -> app:x"),
        ("kind: env.storage.static, values: [a]", "values: has the wrong type (got a list, expected a map)"),
        ("kind: env.storage.static, values: {A: [1]}", "values.A: has the wrong type (got a list, expected a string)"),
        ("kind: env.variable, variable: V", "storage: storage is required"),
        ("kind: env.variable, variable: V, storage: memory", "storage: must be a full entry id"),
        ("kind: env.variable, variable: V, storage: 'app:lib'", "storage: refers to app:lib, which is a library.lua"),
        (
            "kind: env.variable, variable: A-B, storage: 'app:memory'",
            'variable: is not a variable name (got "A-B", expected letters, digits and underscores)',
        ),
        (
            "kind: env.variable, variable: TAKEN, storage: 'app:memory'",
            "variable: the name is taken already by app:taken (app.yaml:4)",
        ),
    ],
)
def test_refusals(app: Sandbox, entry: str, message: str) -> None:
    app.write({"bad.env": "A=1\nnonsense\n", "folder/x": "", "latin.env": b"A=caf\xe9\n"})
    app.entries(
        f"""
        - {{name: lib, kind: library.lua, source: return 1}}
        - {{name: taken, kind: env.variable, variable: TAKEN, storage: "app:memory"}}
        - {{name: memory, kind: env.storage.memory}}
        - {{name: x, {entry}}}
        """
    )
    (error,) = app.errors()
    assert error.startswith("app.yaml:6: error: entry app:x: ")
    assert message in error


def test_an_unreadable_storage_is_named_where_its_value_is_wanted(app: Sandbox) -> None:
    app.entries(
        """
        - {name: file, kind: env.storage.file, file_path: none.env}
        - {name: v, kind: env.variable, variable: V, storage: "app:file"}
        - {name: c, kind: temporal.client, address: "${env:V}"}
        """
    )
    first, second = app.errors()
    assert "entry app:file: file_path: storage app:file: file" in first
    assert "entry app:c: address: storage app:file: file" in second


def test_a_storage_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(EnvError, match="does not exist, and auto_create is not set"):
        FileStorage("app:file", tmp_path / "none").set("A", "1")
    (tmp_path / "file").touch()
    with pytest.raises(EnvError, match=r"cannot be written: (Not a directory|File exists)"):
        FileStorage("app:file", tmp_path / "file/x/y", auto_create=True).set("A", "1")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1", {"A": "1"}),
        ("  export A = 1  ", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=a b # c", {"A": "a b"}),
        ("A=a#b", {"A": "a#b"}),
        ("A= # c", {"A": ""}),
        ("A=#fff # c", {"A": "#fff"}),
        ("A='a # b' # c", {"A": "a # b"}),
        ("A='$x \\n'", {"A": "$x \\n"}),
        ('A="a\\n\\"b\\"\\\\n # x"', {"A": 'a\n"b"\\n # x'}),
        ("A=1\n\n# A=2\r\nA=3\n", {"A": "3"}),
        ("A=it's", {"A": "it's"}),
        ("A=url?x=1&y=2", {"A": "url?x=1&y=2"}),
        ("a.b-c=1", {"a.b-c": "1"}),
    ],
)
def test_dotenv_is_read(text: str, values: dict[str, str]) -> None:
    assert parse(text) == values


@pytest.mark.parametrize("text", ["A", "A B=1", 'A="open', "A='open", "A='x' y", "=1", 'A="x"y'])
def test_other_lines_are_refused_by_number(text: str) -> None:
    with pytest.raises(DotenvError, match="line 2 is not NAME=value"):
        parse("OK=1\n" + text)


@pytest.mark.parametrize(
    "value", ["", "x", "a b", " a ", "#", "a # b", "'", '"', "\\", "a\nb\tc\r", "$x", "ä", "a=b", "\\n"]
)
def test_what_is_written_is_read_again(value: str) -> None:
    text = with_value("# first\nA=old\nB=2\n", "A", value)
    assert parse(text) == {"A": value, "B": "2"}
    assert text.startswith("# first\nA=") and text.endswith("\nB=2\n")
    assert parse(with_value("", "N", value)) == {"N": value}
