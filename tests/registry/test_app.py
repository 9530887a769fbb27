"""The loaded application as others use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from registry_sandbox import Sandbox

import fleet.registry
from fleet.registry import AppError, load_app

ORDERS = """
# a comment
- name: client
  kind: temporal.client
  address: ${env:TEMPORAL|localhost:7233}
- name: worker
  kind: temporal.worker
  client: client
  task_queue: orders
- name: order
  kind: workflow.lua
  source: file://order.lua
  meta: {temporal: {workflow: {worker: worker}}}
- name: inline
  kind: library.lua
  source: |
    return {}
"""


def orders(app: Sandbox, text: str = ORDERS, code: str = "return 1") -> str:
    app.entries(text, **{"order.lua": code})
    return app.load().content_hash


def test_the_views_hold_the_entries_by_id(app: Sandbox) -> None:
    orders(app)
    loaded = app.load()
    assert loaded.root == app.root.resolve()
    assert list(loaded.entries) == ["app:client", "app:worker", "app:order", "app:inline"]
    assert [list(view) for view in (loaded.clients, loaded.workers, loaded.workflows, loaded.libraries)] == [
        ["app:client"],
        ["app:worker"],
        ["app:order"],
        ["app:inline"],
    ]
    assert not loaded.functions and not loaded.processes and not loaded.variables
    assert [entry.id for entry in loaded.entries_of("library.lua")] == ["app:inline"]
    assert loaded.entries["app:worker"].kind == "temporal.worker"


def test_the_hash_stands_for_what_is_written(app: Sandbox) -> None:
    first = orders(app)
    assert len(first) == 64
    assert orders(app) == first
    assert orders(app, code="return 2") != first
    assert orders(app, ORDERS.replace("return {}", "return 1")) != first
    assert orders(app, ORDERS.replace("task_queue: orders", "task_queue: other")) != first
    assert orders(app, ORDERS.replace("name: order\n", "name: order2\n")) != first
    assert orders(app, "\n" + ORDERS) == orders(app), "a dedented first line is no change"


def test_the_hash_is_the_same_on_every_machine(app: Sandbox) -> None:
    first = orders(app)
    app.environ = {"TEMPORAL": "elsewhere:7233"}
    assert orders(app) == first
    reordered = ORDERS.replace("  client: client\n  task_queue: orders\n", "  task_queue: orders\n  client: client\n")
    assert reordered != ORDERS
    assert orders(app, reordered) == first
    assert orders(app, ORDERS.replace("# a comment", "# another one")) == first


def test_the_hash_sees_on_which_line_code_inside_yaml_begins(app: Sandbox) -> None:
    first = orders(app)
    assert orders(app, ORDERS.replace("- name: inline", "\n- name: inline")) != first


def test_the_environment_of_the_operating_system_is_the_default(app: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    orders(app)
    monkeypatch.setenv("TEMPORAL", "elsewhere:1234")
    assert load_app(str(app.root)).clients["app:client"].address == "elsewhere:1234"


def test_warnings_are_kept_and_told_with_the_errors(app: Sandbox) -> None:
    app.entries("- {name: l, kind: library.lua, source: return 1, extra: 1}")
    assert [problem.field for problem in app.load().warnings] == ["extra"]
    app.entries("- {name: l, kind: library.lua, extra: 1}")
    with pytest.raises(AppError) as caught:
        app.load()
    assert [problem.severity for problem in caught.value.problems] == ["error", "warning"]
    assert [problem.field for problem in caught.value.errors] == ["source"]


def test_an_anchor_that_is_used_twice_is_reported_for_each_entry(app: Sandbox) -> None:
    app.entries(
        """
        - {name: a, kind: library.lua, source: return 1, <<: &shared {modules: [nope]}}
        - {name: b, kind: library.lua, source: return 1, <<: *shared}
        """
    )
    assert [(problem.entry, problem.line) for problem in app.problems()] == [("app:a", 3), ("app:b", 3)]


def test_the_registry_runs_nothing() -> None:
    code = "import sys, fleet.registry; print([m for m in sys.modules if m.split('.')[0] in ('temporalio', 'lupa')])"
    root = Path(fleet.registry.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"


def test_every_exported_name_exists() -> None:
    assert [name for name in fleet.registry.__all__ if not hasattr(fleet.registry, name)] == []
