"""fleet check."""

from __future__ import annotations

import json
from collections.abc import Callable

from fleet_command import INDEX, Fleet


def test_nothing_wrong(fleet: Fleet) -> None:
    done = fleet("check", fleet.app())
    assert (done.code, done.out, done.err) == (0, "no problems in 4 entries\n", "")


def test_current_directory_is_the_default(fleet: Fleet) -> None:
    for name, text in (("_index.yaml", "namespace: a\nentries:\n  - {name: f, kind: function.lua}\n"),):
        (fleet.home / name).write_text(text)
    done = fleet("check")
    assert done.code == 1
    assert "_index.yaml:3: error: entry a:f: " in done.out


def test_everything_is_told_with_its_place(fleet: Fleet, lua: Callable[[str], str]) -> None:
    order = lua('    undefined_thing()\n    return funcs.call("shop:chrge")')
    app = fleet.app(order__lua=order, charge__lua="return {\n")
    done = fleet("check", app)
    assert done.code == 1
    assert "app/order.lua:2: error: entry shop:order: " in done.out
    assert "app/order.lua:3: error: entry shop:order: " in done.out
    assert "did you mean 'shop:charge'?" in done.out
    assert done.out.count("app/charge.lua") == 1, "a syntax error is told once"
    assert done.out.splitlines()[-1].startswith("3 errors")


def test_yaml_that_does_not_load_is_a_finding(fleet: Fleet) -> None:
    app = fleet.app(_index__yaml="namespace: shop\nentries:\n  - {name: a}\n  - {name: b, kind: what}\n")
    done = fleet("check", app)
    assert done.code == 1
    assert "2 errors, 0 warnings" in done.out


def test_warnings_count_only_when_strict(fleet: Fleet) -> None:
    app = fleet.app(_index__yaml=INDEX.replace("task_queue: shop}", "task_queue: shop, colour: red}"))
    done = fleet("check", app)
    assert (done.code, "warning" in done.out) == (0, True)
    assert fleet("check", app, "--strict").code == 1


def test_json(fleet: Fleet, lua: Callable[[str], str]) -> None:
    app = fleet.app(order__lua=lua("    return nothing_of_the_kind"))
    done = fleet("check", app, "--json")
    found = json.loads(done.out)
    assert done.code == 1
    assert (found["ok"], found["errors"], found["entries"]) == (False, 1, 4)
    (problem,) = found["problems"]
    assert (problem["file"], problem["line"], problem["entry"]) == ("order.lua", 2, "shop:order")
    assert problem["severity"] == "error"
    assert problem["hint"]


def test_no_colours_in_a_pipe(fleet: Fleet) -> None:
    fleet.environ["TERM"] = "xterm-256color"
    assert "\x1b" not in fleet("check", fleet.app(charge__lua="return {\n")).out
