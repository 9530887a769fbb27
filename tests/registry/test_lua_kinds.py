"""workflow.lua, function.lua, process.lua, library.lua (registry.md, section 2)."""

from __future__ import annotations

import pytest
from registry_sandbox import Sandbox

from fleet.registry import ActivityBinding
from fleet.registry.modules import MODULES, REFUSALS

WORKERS = """
- {name: client, kind: temporal.client, address: 'localhost:7233'}
- {name: worker, kind: temporal.worker, client: client, task_queue: q}
"""


def test_a_workflow_as_the_document_has_it(app: Sandbox) -> None:
    app.entries(
        WORKERS
        + """
- name: order_workflow
  kind: workflow.lua
  source: file://order_workflow.lua
  method: main
  modules:
    - funcs
    - time
    - workflow
  meta:
    temporal:
      workflow:
        worker: app:worker
""",
        **{"order_workflow.lua": "return { main = function() end }"},
    )
    loaded = app.load()
    workflow = loaded.workflows["app:order_workflow"]
    assert loaded.warnings == []
    assert workflow.modules == ("funcs", "time", "workflow")
    assert (workflow.worker, workflow.type_name) == ("app:worker", "app:order_workflow")
    assert loaded.workflows_of("app:worker") == [workflow]


def test_defaults_and_relative_workers(app: Sandbox) -> None:
    app.entries(
        WORKERS
        + """
- {name: w, kind: workflow.lua, source: return 1, meta: {temporal: {workflow: {worker: worker, name: OrderV1}}}}
- {name: p, kind: process.lua, source: return 1, meta: {temporal: {activity: {worker: worker}}}}
- {name: f, kind: function.lua, source: return 1, method: m, meta: {temporal: {activity: {worker: worker, local: yes}}}}
- {name: l, kind: library.lua, source: return 1}
- {name: plain, kind: function.lua, source: return 1, method: m, pool: {type: lazy, size: 3, warm_start: on}}
"""
    )
    loaded = app.load()
    assert loaded.warnings == []
    assert loaded.workflows["app:w"].method == "main"
    assert loaded.workflow_type("app:w") == "OrderV1"
    assert loaded.processes["app:p"].method == "main"
    assert loaded.processes["app:p"].activity == ActivityBinding("app:worker", local=False)
    assert loaded.functions["app:f"].activity == ActivityBinding("app:worker", local=True)
    assert loaded.functions["app:plain"].activity is None
    assert loaded.libraries["app:l"].method == ""
    assert [entry.id for entry in loaded.activities_of("app:worker")] == ["app:p", "app:f"]
    with pytest.raises(KeyError):
        loaded.workflow_type("app:f")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("kind: function.lua, method: m", "app.yaml:3: error: entry app:x: source: source is required"),
        ("kind: function.lua, method: m, source: ''", "source: source is required"),
        ("kind: function.lua, source: return 1", "app.yaml:3: error: entry app:x: method: method is required"),
        ("kind: function.lua, source: return 1, method: ''", "method: method is required"),
        ("kind: workflow.lua", "source: source is required"),
        ("kind: process.lua", "source: source is required"),
        ("kind: library.lua", "source: source is required"),
        (
            "kind: library.lua, source: {a: 1}",
            "source: has the wrong type (got a map, expected Lua text or file://path.lua)",
        ),
        ("kind: library.lua, source: ' '", 'source: source is empty (got " ")'),
        (
            "kind: library.lua, source: x/y.lua",
            'source: is a file name, not Lua text (got "x/y.lua")\n    write file://x/y.lua',
        ),
        ("kind: process.lua, source: return 1, method: 5", "method: has the wrong type (got 5, expected a string)"),
        (
            "kind: process.lua, source: return 1, modules: json",
            'modules: has the wrong type (got "json", expected a list)\n    write [json]',
        ),
        ("kind: process.lua, source: return 1, modules: ['']", 'modules.0: module cannot be empty (got "")'),
        (
            "kind: process.lua, source: return 1, modules: [json, 'app:json']",
            'modules.1: module cannot have a namespace (got "app:json")\n'
            "    libraries of the application go into imports",
        ),
        (
            "kind: process.lua, source: return 1, modules: [jsn]",
            "modules.0: unknown module jsn\n    did you mean json?",
        ),
        (
            "kind: process.lua, source: return 1, modules: [sql]",
            "modules.0: module sql of the reference runtime does not exist here",
        ),
        (
            "kind: process.lua, source: return 1, modules: [5]",
            "modules.0: has the wrong type (got 5, expected a string)",
        ),
        (
            "kind: process.lua, source: return 1, imports: [a]",
            "imports: has the wrong type (got a list, expected a map)",
        ),
        ("kind: process.lua, source: return 1, imports: {'': 'a:b'}", "imports: import alias cannot be empty"),
        ("kind: process.lua, source: return 1, imports: {u: ''}", "imports: import u: name cannot be empty"),
        ("kind: process.lua, source: return 1, imports: {u: }", "imports: import u: name cannot be empty"),
        (
            "kind: process.lua, source: return 1, imports: {u: x}",
            'imports.u: must be a full entry id (got "x", expected namespace:name)\n    write app:x',
        ),
        (
            "kind: process.lua, source: return 1, imports: {u: 'app:none'}",
            "imports.u: refers to app:none, which does not exist (expected library.lua)",
        ),
        (
            "kind: process.lua, source: return 1, imports: {u: 'app:x'}",
            "imports.u: refers to app:x, which is a process.lua (expected library.lua)",
        ),
        (
            "kind: function.lua, source: return 1, method: m, pool: 3",
            "pool: has the wrong type (got 3, expected a map)",
        ),
        (
            "kind: function.lua, source: return 1, method: m, pool: {type: lasy}",
            'pool.type: is not a known value (got "lasy", expected "" or inline or lazy or static or adaptive)\n'
            "    did you mean lazy?",
        ),
        (
            "kind: function.lua, source: return 1, method: m, pool: {type: static}",
            "pool.size: pool.size must be greater than 0",
        ),
        (
            "kind: function.lua, source: return 1, method: m, pool: {size: -1}",
            "pool.size: pool.size must be greater than 0 (got -1)",
        ),
        (
            "kind: function.lua, source: return 1, method: m, pool: {max_size: 0}",
            "pool.max_size: pool.max_size must be greater than 0 (got 0)",
        ),
        (
            "kind: function.lua, source: return 1, method: m, pool: {workers: -1}",
            "pool.workers: workers cannot be negative (got -1, expected 0 or more)",
        ),
        ("kind: library.lua, source: return 1, meta: {a: 'file://none'}", "meta.a: file none does not exist"),
        (
            "kind: workflow.lua, source: return 1, meta: {temporal: {workflow: {worker: wrker}}}",
            "meta.temporal.workflow.worker: refers to app:wrker, which does not exist (expected temporal.worker)\n"
            "    did you mean app:worker?",
        ),
        (
            "kind: workflow.lua, source: return 1, meta: {temporal: {workflow: {worker: client}}}",
            "refers to app:client, which is a temporal.client (expected temporal.worker)\n    known: app:worker",
        ),
        (
            "kind: workflow.lua, source: return 1, meta: {temporal: {workflow: {worker: 'other:worker'}}}",
            "refers to other:worker, which does not exist (expected temporal.worker)\n    did you mean app:worker?",
        ),
        (
            "kind: workflow.lua, source: return 1, meta: {temporal: {workflow: {worker: worker, name: ''}}}",
            'meta.temporal.workflow.name: name cannot be empty (got "")',
        ),
        (
            "kind: workflow.lua, source: return 1, meta: {temporal: {workflow: 5}}",
            "meta.temporal.workflow: has the wrong type (got 5, expected a map)",
        ),
        (
            "kind: workflow.lua, source: return 1, meta: {temporal: [1]}",
            "meta.temporal: has the wrong type (got a list, expected a map)",
        ),
        (
            "kind: function.lua, method: m, source: return 1, meta: {temporal: {activity: {worker: nobody}}}",
            "meta.temporal.activity.worker: refers to app:nobody, which does not exist",
        ),
        (
            "kind: process.lua, source: return 1, meta: {temporal: {activity: {worker: worker, local: maybe}}}",
            'meta.temporal.activity.local: has the wrong type (got "maybe", expected true or false)',
        ),
    ],
)
def test_refusals(app: Sandbox, entry: str, message: str) -> None:
    app.entries(f"- {{name: x, {entry}}}\n" + WORKERS)
    (error,) = app.errors()
    assert message in error


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "kind: workflow.lua, source: return 1",
            "app.yaml:3: warning: entry app:x: meta.temporal.workflow.worker: no worker is named, so this workflow "
            "cannot be started",
        ),
        (
            "kind: function.lua, method: m, source: return 1, meta: {temporal: {activity: {}}}",
            "meta.temporal.activity: no worker is named, so this is not an activity",
        ),
        (
            "kind: function.lua, method: m, source: return 1, meta: {temporal: {activty: {worker: worker}}}",
            "meta.temporal.activty: unknown field, it has no effect\n    did you mean activity?",
        ),
        (
            "kind: process.lua, source: return 1, meta: {temporal: {activity: {worker: worker, locl: true}}}",
            "meta.temporal.activity.locl: unknown field, it has no effect\n    did you mean local?",
        ),
        (
            "kind: function.lua, method: m, source: return 1, meta: {temporal: {workflow: {worker: worker}}}",
            "meta.temporal.workflow: unknown field, it has no effect\n    known: activity",
        ),
        (
            "kind: function.lua, method: m, source: return 1, modul: [json]",
            "modul: unknown field, it has no effect\n    did you mean modules?",
        ),
        ("kind: library.lua, source: return 1, method: m", "method: unknown field, it has no effect"),
        (
            "kind: function.lua, method: m, source: return 1, pool: {sise: 1}",
            "pool.sise: unknown field, it has no effect\n    did you mean size?",
        ),
        (
            "kind: process.lua, source: return 1, modules: [json], imports: {json: 'app:lib'}",
            "imports.json: hides the module json\n    give the import another alias",
        ),
    ],
)
def test_warnings(app: Sandbox, entry: str, message: str) -> None:
    app.entries(f"- {{name: x, {entry}}}\n- {{name: lib, kind: library.lua, source: return 1}}\n" + WORKERS)
    (warning,) = app.rendered()
    assert message in warning


def test_meta_is_free(app: Sandbox) -> None:
    app.entries("- {name: f, kind: function.lua, method: m, source: return 1, meta: {type: test, a: {b: [1, null]}}}")
    loaded = app.load()
    assert loaded.warnings == []
    assert loaded.functions["app:f"].meta == {"type": "test", "a": {"b": [1, None]}}


# Modules (spec/decisions.md, 13)


@pytest.mark.parametrize("kind", ["function.lua", "process.lua", "library.lua"])
def test_outside_workflows_every_module_may_be_listed(app: Sandbox, kind: str) -> None:
    modules = ", ".join(name for name, where in MODULES.items() if where != "workflows")
    app.entries(f"- {{name: f, kind: {kind}, source: return 1, method: m, modules: [{modules}]}}")
    assert app.errors() == []


def test_every_module_that_workflows_may_not_use_has_its_reason() -> None:
    assert REFUSALS.keys() == {name for name, where in MODULES.items() if where == "functions"}


def test_workflows_may_list_what_does_no_io(app: Sandbox) -> None:
    modules = ", ".join(name for name, where in MODULES.items() if where != "functions")
    app.entries(f"- {{name: w, kind: workflow.lua, source: return 1, modules: [{modules}]}}")
    assert app.errors() == []
    assert {"logger", "channel", "errors", "funcs", "time", "workflow"} <= set(app.load().workflows["app:w"].modules)


@pytest.mark.parametrize("module", [*REFUSALS, "fs", "sql", "store", "exec", "websocket"])
def test_modules_that_do_io_are_refused_in_workflows(app: Sandbox, module: str) -> None:
    app.entries(f"- name: w\n  kind: workflow.lua\n  source: return 1\n  modules:\n    - json\n    - {module}")
    (error,) = app.errors()
    assert error.startswith(
        f"app.yaml:8: error: entry app:w: modules.1: module {module} cannot be used in a workflow: "
    )
    assert "call a function.lua entry that uses it, with funcs.call" in error


def test_a_library_that_does_io_is_refused_in_workflows_that_reach_it(app: Sandbox) -> None:
    app.entries(
        """
        - {name: deep, kind: library.lua, source: return 1, modules: [json, http_client]}
        - {name: middle, kind: library.lua, source: return 1, imports: {d: "app:deep"}}
        - name: w
          kind: workflow.lua
          source: return 1
          imports:
            m: app:middle
        - {name: f, kind: function.lua, method: m, source: return 1, imports: {m: "app:middle"}}
        """
    )
    assert app.errors() == [
        "app.yaml:9: error: entry app:w: imports.m: library app:deep lists module http_client, which cannot be used in "
        "a workflow: it does network I/O, and a replay would do it again\n"
        "    imported as app:w -> app:middle -> app:deep; put what uses http_client into a function and call it with "
        "funcs.call"
    ]


def test_libraries_that_import_each_other_are_an_error_with_the_chain(app: Sandbox) -> None:
    app.entries(
        """
        - {name: a, kind: library.lua, source: return 1, imports: {b: "app:b"}}
        - {name: b, kind: library.lua, source: return 1, imports: {c: "app:c"}}
        - {name: c, kind: library.lua, source: return 1, imports: {x: "app:b"}}
        - {name: own, kind: library.lua, source: return 1, imports: {own: "app:own"}}
        - {name: w, kind: workflow.lua, source: return 1, imports: {a: "app:a"}}
        """
    )
    assert app.errors() == [
        "app.yaml:5: error: entry app:c: imports.x: libraries import each other in a circle: app:b -> app:c -> app:b\n"
        "    move what both need into a library that imports neither",
        "app.yaml:6: error: entry app:own: imports.own: libraries import each other in a circle: app:own -> app:own\n"
        "    move what both need into a library that imports neither",
    ]


def test_a_workflow_type_belongs_to_one_entry_of_a_worker(app: Sandbox) -> None:
    app.entries(
        """
        - {name: a, kind: workflow.lua, source: return 1, meta: {temporal: {workflow: {worker: worker}}}}
        - {name: b, kind: workflow.lua, source: return 1, meta: {temporal: {workflow: {worker: worker, name: "app:a"}}}}
        - {name: c, kind: workflow.lua, source: return 1, meta: {temporal: {workflow: {worker: other, name: "app:a"}}}}
        - {name: other, kind: temporal.worker, client: client, task_queue: q2}
        """
        + WORKERS.replace("\n", "\n        ")
    )
    assert app.errors() == [
        "app.yaml:4: error: entry app:b: meta.temporal.workflow.name: worker app:worker serves the workflow type app:a "
        'already: app:a (app.yaml:3) (got "app:a")\n    give one of them another name'
    ]


def test_everything_wrong_is_told_at_once(app: Sandbox) -> None:
    app.write(
        {
            "b.yaml": "namespace: b\nentries:\n  - {name: x, kind: funtion.lua}\n  - {kind: library.lua}\n",
            "a.yaml": "namespace: a\nentries:\n  - {name: f, kind: function.lua, modules: [jsn, 5], imports: {x: y}}\n",
            "c.yaml": "a: [",
        }
    )
    places = [(problem.file, problem.line, problem.field) for problem in app.problems()]
    assert places == [
        ("a.yaml", 3, "source"),
        ("a.yaml", 3, "method"),
        ("a.yaml", 3, "modules.0"),
        ("a.yaml", 3, "modules.1"),
        ("a.yaml", 3, "imports.x"),
        ("b.yaml", 3, "kind"),
        ("b.yaml", 4, "entry[1].name"),
        ("c.yaml", 1, ""),
    ]
