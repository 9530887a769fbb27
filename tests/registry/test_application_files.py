"""Which files are read, how ids come about, and what is said about files that are wrong (registry.md, section 1)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from registry_sandbox import Sandbox

from fleet.registry import AppError, load_app

FUNCTION = "kind: function.lua, method: main, source: 'return {}'"


def test_yaml_yml_and_json_files_are_read_in_order_of_path(app: Sandbox) -> None:
    app.write(
        {
            "z.yaml": f"namespace: z\nentries: [{{name: b, {FUNCTION}}}, {{name: a, {FUNCTION}}}]",
            "deep/er/x.yml": f"version: '1.0'\nnamespace: deep.er\nentries: [{{name: f, {FUNCTION}}}]",
            "j.json": """{"namespace": "j", "entries": [
                {"name": "f", "kind": "function.lua", "method": "m", "source": "return {}"}]}""",
            "node_modules/x.yaml": f"namespace: no\nentries: [{{name: f, {FUNCTION}}}]",
            ".venv/x.yaml": "not: [valid",
            "notes.txt": "not: [valid",
        }
    )
    loaded = app.load()
    assert list(loaded.entries) == ["deep.er:f", "j:f", "z:b", "z:a"]
    assert [(entry.file, entry.line) for entry in loaded.entries.values()][:2] == [("deep/er/x.yml", 3), ("j.json", 2)]
    assert loaded.warnings == []


def test_a_mounted_config_map_is_read_once(app: Sandbox, tmp_path: Path) -> None:
    app.write(
        {
            "..2024/app.yaml": f"namespace: a\nentries: [{{name: f, {FUNCTION}}}]",
            "..2024/sub/more.yaml": "namespace: b\nentries: [{name: l, kind: library.lua, source: 'file://l.lua'}]",
            "..2024/sub/l.lua": "return {}",
        }
    )
    os.symlink("..2024", app.root / "..data")
    os.symlink("..data/app.yaml", app.root / "app.yaml")
    os.symlink("..data/sub", app.root / "sub")
    os.symlink("sub", app.root / "sub2")
    assert list(app.load().entries) == ["a:f", "b:l"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a: 1",
        "namespace: a\nentries:",
        "[1, 2]",
        "just text",
        "apiVersion: v1\nkind: Deployment\nmetadata: {name: x}",
    ],
)
def test_files_of_other_programs_are_passed_over(app: Sandbox, text: str) -> None:
    app.entries(f"- {{name: f, {FUNCTION}}}", **{"other.yaml": text})
    assert app.rendered() == []


def test_a_file_may_be_a_single_entry(app: Sandbox) -> None:
    app.write({"f.yaml": "version: '1.0'\nnamespace: app\nname: f\nkind: library.lua\nmeta: {a: 1}\nsource: return 1"})
    entry = app.load().entries["app:f"]
    assert (entry.kind, entry.meta) == ("library.lua", {"a": 1})


def test_data_replaces_the_fields_beside_it(app: Sandbox) -> None:
    app.entries("- {name: l, kind: library.lua, source: old, modules: [json], data: {source: return new}}")
    loaded = app.load()
    library = loaded.libraries["app:l"]
    assert (library.source.text, library.modules) == ("return new", ())
    assert [problem.render() for problem in loaded.warnings] == [
        "app.yaml:3: warning: entry app:l: source: has no effect: data replaces the fields beside it\n"
        "    move it into data",
        "app.yaml:3: warning: entry app:l: modules: has no effect: data replaces the fields beside it\n"
        "    move it into data",
    ]


def test_meta_of_the_file_is_merged_under_meta_of_the_entry(app: Sandbox) -> None:
    app.write(
        {
            "a.yaml": """
            namespace: app
            meta: {team: pay, tags: {a: 1}}
            entries:
              - {name: x, kind: library.lua, source: return 1}
              - {name: y, kind: library.lua, source: return 1, meta: {tags: {b: 2}}}
            """
        }
    )
    loaded = app.load()
    assert loaded.entries["app:x"].meta == {"team": "pay", "tags": {"a": 1}}
    assert loaded.entries["app:y"].meta == {"team": "pay", "tags": {"b": 2}}


def test_names_and_namespaces_may_hold_dots_and_dashes(app: Sandbox) -> None:
    app.write({"a.yaml": f"namespace: app.test-x\nentries: [{{name: a.b-c_d, {FUNCTION}}}]"})
    assert list(app.load().entries) == ["app.test-x:a.b-c_d"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"entries: [{{name: f, {FUNCTION}}}]",
            "x.yaml:1: error: a file with entries needs a namespace\n    add namespace: app at the top of the file",
        ),
        (
            f"namspace: a\nentries: [{{name: f, {FUNCTION}}}]",
            "x.yaml:1: error: a file with entries needs a namespace\n    namspace was probably meant to be namespace",
        ),
        (f"name: f\n{FUNCTION.replace(', ', chr(10))}", "x.yaml:1: error: a file with entries needs a namespace"),
        (
            "namespace: 5\nentries: []",
            "x.yaml:1: error: namespace: is not a namespace (got 5, expected a word without spaces and colons",
        ),
        ("namespace: 'a:b'\nentries: []", 'x.yaml:1: error: namespace: is not a namespace (got "a:b"'),
        (
            "namespace: app\nentires: []",
            "x.yaml:1: error: a file with a namespace has a list of entries\n    did you mean entries?",
        ),
        ("namespace: app", "a list of entries\n    add entries, or name and kind for a single entry"),
        (
            "namespace: app\nentries: {a: 1}",
            "x.yaml:2: error: entries: has the wrong type (got a map, expected a list)",
        ),
        ("namespace: app\nentries: [x]", 'x.yaml:2: error: entry[0]: has the wrong type (got "x", expected a map with'),
        (
            "namespace: app\nentries:\n  - kind: library.lua",
            "x.yaml:3: error: entry[0].name: name is required and must be a non-empty string",
        ),
        (
            "namespace: app\nentries:\n  - name: ''\n    kind: library.lua",
            'x.yaml:3: error: entry[0].name: name is required and must be a non-empty string (got "")',
        ),
        (
            "namespace: app\nentries:\n  - {name: 1, kind: library.lua}",
            "entry[0].name: name is required and must be a non-empty string (got 1)",
        ),
        (
            "namespace: app\nentries:\n  - name: x",
            "x.yaml:3: error: entry[0].kind: kind is required and must be a non-empty string",
        ),
        ("namespace: app\nentries: [{name: 'a:b', kind: x}]", "entry[0].name: name cannot contain spaces or colons"),
        (
            "namespace: app\nentries: [{name: a, kind: library.lua, data: 1}]",
            "entry[0].data: has the wrong type (got 1",
        ),
        (
            "namespace: app\nentries: [{name: a, kind: library.lua, meta: [1]}]",
            "entry app:a: meta: has the wrong type (got a list, expected a map)",
        ),
        ("namespace: app\nmeta: 1\nentries: []", "x.yaml:2: error: meta: has the wrong type (got 1, expected a map)"),
        (
            "namespace: app\nentries:\n  - name: a\n    kind: function.luc",
            'x.yaml:3: error: entry app:a: kind: is not a known kind (got "function.luc")\n'
            "    did you mean function.lua?",
        ),
        (
            "namespace: app\nentries: [{name: a, kind: function.lua.bc}]",
            "    compiled Lua is not loaded here: give the source",
        ),
        ("a: [", "x.yaml:1: error: not valid YAML: did not find expected node content"),
        ("a: 1\na: 2", 'x.yaml:2: error: key "a" stands twice in the same map, on lines 1 and 2'),
    ],
)
def test_refusals_of_files_and_entries(app: Sandbox, text: str, message: str) -> None:
    app.entries(f"- {{name: good, {FUNCTION}}}", **{"x.yaml": text})
    errors = app.errors()
    assert len(errors) == 1
    assert message in errors[0]


def test_a_broken_file_is_an_error_and_the_others_are_still_read(app: Sandbox) -> None:
    app.write({"a.yaml": "namespace: app\nentries: [", "b.yaml": "namespace: b\nentries: [{name: x, kind: nope}]"})
    errors = app.errors()
    assert [error.split(":")[0] for error in errors] == ["a.yaml", "b.yaml"]
    assert "correct it, or move it out of the application's directory" in errors[0]


def test_broken_json_and_other_encodings_are_errors(app: Sandbox) -> None:
    app.write({"a.json": '{"a": 1,}', "b.yaml": b"namespace: caf\xe9"})
    first, second = app.errors()
    assert "a.json:1: error: not valid JSON" in first
    assert "b.yaml: error: b.yaml is not UTF-8 text (byte 0xe9 at offset 14)" in second


def test_a_second_entry_with_the_same_id_is_an_error_that_names_the_first(app: Sandbox) -> None:
    app.write(
        {
            "a.yaml": f"namespace: app\nentries:\n  - {{name: f, {FUNCTION}}}",
            "b.yaml": f"namespace: app\nentries:\n\n  - {{name: f, {FUNCTION}}}",
        }
    )
    assert app.errors() == [
        "b.yaml:4: error: entry app:f: the id is taken already by the entry at a.yaml:3\n    rename one of the two"
    ]


def test_unknown_fields_of_a_file_are_warnings(app: Sandbox) -> None:
    app.write({"a.yaml": f"namespace: app\nverson: 1\nentries: [{{name: f, {FUNCTION}}}]"})
    assert app.rendered() == ["a.yaml:2: warning: verson: unknown field, it has no effect\n    did you mean version?"]


def test_a_directory_without_entries_is_no_application(app: Sandbox, tmp_path: Path) -> None:
    assert "no entries found in" in app.errors()[0]
    with pytest.raises(AppError, match="nothing-here does not exist"):
        load_app(tmp_path / "nothing-here")
    (tmp_path / "file").touch()
    with pytest.raises(AppError, match="is not a directory"):
        load_app(str(tmp_path / "file"))


def test_a_file_reference_is_replaced_by_the_content_wherever_it_stands(app: Sandbox) -> None:
    app.write(
        {
            "sub/a.yaml": """
            namespace: app
            entries:
              - name: f
                kind: function.lua
                source: file://lua/f.lua
                method: main
                meta: {help: [{text: "file:///top.txt"}]}
            """,
            "sub/lua/f.lua": b"\xef\xbb\xbfreturn 1",
            "top.txt": "hello ${env:NOT_LOOKED_AT}",
        }
    )
    entry = app.load().functions["app:f"]
    assert (entry.source.text, entry.source.file, entry.source.line) == ("return 1", "sub/lua/f.lua", 1)
    assert entry.meta == {"help": [{"text": "hello ${env:NOT_LOOKED_AT}"}]}


def test_text_inside_yaml_knows_its_own_line(app: Sandbox) -> None:
    app.entries("- name: l\n  kind: library.lua\n  source: |\n    local a\n    return a")
    source = app.load().libraries["app:l"].source
    assert (source.text, source.file, source.line) == ("local a\nreturn a\n", "app.yaml", 6)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file://none.lua", "file sub/none.lua does not exist"),
        ("file:///none.lua", "file none.lua does not exist"),
        ("file://../../out.lua", "file://../../out.lua leads out of the application's directory"),
        ("file:///../out.lua", "file:///../out.lua leads out of the application's directory"),
        ("file://x/../../../out.lua", "leads out of the application's directory"),
        ("file://link.lua", "sub/link.lua is a link that leads out of the application's directory"),
        ("file://loop.lua", "sub/loop.lua cannot be read"),
        ("file://", "file:// names no file"),
        ("file://folder", "sub/folder cannot be read: Is a directory"),
        ("file://binary", "sub/binary is not UTF-8 text (byte 0xff at offset 2)"),
    ],
)
def test_refusals_of_file_references(app: Sandbox, url: str, message: str) -> None:
    (app.root.parent / "out.lua").write_text("return 1")
    app.write(
        {
            "sub/a.yaml": f"namespace: app\nentries:\n  - name: l\n    kind: library.lua\n    source: {url}\n",
            "sub/folder/x": "",
            "sub/binary": b"ab\xff",
        }
    )
    os.symlink("../../out.lua", app.root / "sub/link.lua")
    os.symlink("loop.lua", app.root / "sub/loop.lua")
    (error,) = app.errors()
    assert error.startswith("sub/a.yaml:5: error: entry app:l: source: ")
    assert message in error
    assert "paths start at the directory of the YAML file" in error


def test_a_directory_that_leads_out_is_refused(app: Sandbox, tmp_path: Path) -> None:
    os.symlink(tmp_path, app.root / "everything")
    assert "everything is a link that leads out of the application's directory" in app.errors()[0]
