"""``lifecycle``, process.host, process.service (registry.md, sections 4 and 6)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from registry_sandbox import Sandbox

from fleet.registry import Lifecycle, ProcessHostEntry, ProcessServiceEntry
from fleet.registry.checks.graph import cycles

BASE = """
- {name: host, kind: process.host}
- {name: p, kind: process.lua, source: return 1}
- {name: client, kind: temporal.client, address: 'x:1'}
- {name: worker, kind: temporal.worker, client: client, task_queue: q}
- {name: worker2, kind: temporal.worker, client: client, task_queue: q2}
- {name: flow, kind: workflow.lua, source: return 1, meta: {temporal: {workflow: {worker: worker}}}}
"""


def test_defaults_and_fields_of_a_lifecycle(app: Sandbox) -> None:
    app.entries(
        """
        - {name: a, kind: process.host, lifecycle: }
        - name: b
          kind: process.host
          lifecycle:
            auto_start: true
            start_timeout: 1s
            stop_timeout: 2s
            stable_threshold: 3s
            requires: [a]
            depends_on: ["app:a", c]
            startup: optional
            security: {actor: {id: system, meta: {role: admin}}, groups: [g], policies: [p]}
            restart: {initial_delay: 2s, max_delay: 3s, backoff_factor: 1, jitter: 0, max_attempts: 5}
        - {name: c, kind: process.host}
        """
    )
    loaded = app.load()
    assert [warning.render() for warning in loaded.warnings] == [
        "app.yaml:14: warning: entry app:b: lifecycle.security: has no effect: services do not run under an identity here"
    ]
    first, second = loaded.entries["app:a"], loaded.entries["app:b"]
    assert isinstance(first, ProcessHostEntry) and isinstance(second, ProcessHostEntry)
    assert first.lifecycle == Lifecycle()
    assert first.lifecycle.start_timeout == first.lifecycle.stop_timeout == timedelta(seconds=10)
    assert (first.lifecycle.stable_threshold, first.lifecycle.startup) == (timedelta(seconds=5), "required")
    assert first.lifecycle.restart.max_delay == timedelta(seconds=90)
    assert second.requires == ("app:a", "app:c")
    assert second.lifecycle.security.actor.meta == {"role": "admin"}
    assert second.lifecycle.restart.max_attempts == 5


def test_hosts_and_services(app: Sandbox) -> None:
    app.entries(
        BASE
        + """
- {name: sized, kind: process.host, host: {workers: 2, queue_size: 3, local_queue_size: 4}}
- {name: s, kind: process.service, process: p, host: "app:host", input: [1, {a: b}, x]}
- {name: t, kind: process.service, process: flow, host: "app:worker"}
"""
    )
    loaded = app.load()
    host, sized = loaded.entries_of("process.host")
    assert isinstance(host, ProcessHostEntry) and isinstance(sized, ProcessHostEntry)
    assert (host.host.workers, host.host.queue_size, host.host.local_queue_size) == (None, 1024, 256)
    assert (sized.host.workers, sized.host.queue_size, sized.host.local_queue_size) == (2, 3, 4)
    service = loaded.entries["app:s"]
    assert isinstance(service, ProcessServiceEntry)
    assert (service.process, service.host, service.input) == ("app:p", "app:host", (1, {"a": "b"}, "x"))
    assert service.requires == ("app:host",)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "kind: process.host, host: {workers: -1}",
            "host.workers: workers cannot be negative (got -1, expected 0 or more)",
        ),
        ("kind: process.host, host: {queue_size: -1}", "host.queue_size: queue size cannot be negative"),
        (
            "kind: process.host, host: {local_queue_size: -1}",
            "host.local_queue_size: local queue size cannot be negative",
        ),
        ("kind: process.service, host: 'app:host'", "process: process is required"),
        ("kind: process.service, process: p", "host: host is required"),
        (
            "kind: process.service, process: p, host: host",
            'host: must be a full entry id (got "host", expected namespace:name)\n    write app:host',
        ),
        (
            "kind: process.service, process: p, host: 'node:control'",
            "host: node:control is reserved for the runtime",
        ),
        ("kind: process.service, process: p, host: 'app:hst'", "host: refers to app:hst, which does not exist"),
        (
            "kind: process.service, process: host, host: 'app:host'",
            "process: refers to app:host, which is a process.host",
        ),
        (
            "kind: process.service, process: p, host: 'app:worker'",
            "host: app:p is a process, which runs on a process.host",
        ),
        (
            "kind: process.service, process: flow, host: 'app:host'",
            "host: app:flow is a workflow, which runs on a temporal.worker",
        ),
        (
            "kind: process.service, process: flow, host: 'app:worker2'",
            'host: app:flow is served by another worker (got "app:worker2", expected app:worker)',
        ),
        (
            "kind: process.service, process: p, host: 'app:host', input: 5",
            "input: has the wrong type (got 5, expected a list",
        ),
        (
            "kind: process.host, lifecycle: {startup: maybe}",
            'lifecycle.startup: is not a known value (got "maybe", expected required or optional)',
        ),
        ("kind: process.host, lifecycle: {start_timeout: -1s}", "lifecycle.start_timeout: start timeout must be >= 0"),
        (
            "kind: process.host, lifecycle: {auto_start: 1}",
            "lifecycle.auto_start: has the wrong type (got 1, expected true",
        ),
        (
            "kind: process.host, lifecycle: {requires: host}",
            'lifecycle.requires: has the wrong type (got "host", expected',
        ),
        ("kind: process.host, lifecycle: {requires: [hots]}", "which does not exist\n    did you mean app:host?"),
        (
            "kind: process.host, lifecycle: {depends_on: ['b:c']}",
            "lifecycle.depends_on.0: refers to b:c, which does not",
        ),
        (
            "kind: process.host, lifecycle: {restart: {jitter: -1}}",
            "lifecycle.restart.jitter: jitter cannot be negative",
        ),
        ("kind: process.host, lifecycle: {restart: {jitter: low}}", '(got "low", expected a number)'),
        (
            "kind: process.service, process: p, host: 'app:host', input: [{a: '${env:UNSET}'}]",
            "input.0.a: environment variable UNSET is not set and has no default",
        ),
        ("kind: process.host, lifecycle: {restart: {max_attempts: 1.5}}", "(got 1.5, expected a whole number)"),
        (
            "kind: process.host, lifecycle: {restart: {backoff_factor: 0.5}}",
            "backoff factor must be at least 1 (got 0.5)",
        ),
    ],
)
def test_refusals(app: Sandbox, entry: str, message: str) -> None:
    app.entries(f"- {{name: x, {entry}}}\n" + BASE)
    (error,) = app.errors()
    assert error.startswith("app.yaml:3: error: entry app:x: ")
    assert message in error


def test_an_unknown_lifecycle_field_is_a_warning(app: Sandbox) -> None:
    app.entries("- {name: x, kind: process.host, lifecycle: {autostart: true}}")
    assert app.rendered() == [
        "app.yaml:3: warning: entry app:x: lifecycle.autostart: unknown field, it has no effect\n"
        "    did you mean auto_start?"
    ]


def test_services_that_wait_for_each_other_are_an_error_with_the_chain(app: Sandbox) -> None:
    app.entries(
        """
        - {name: client, kind: temporal.client, address: 'x:1', lifecycle: {requires: [host]}}
        - {name: worker, kind: temporal.worker, client: client, task_queue: q}
        - {name: host, kind: process.host, lifecycle: {depends_on: [worker]}}
        - {name: alone, kind: process.host, lifecycle: {requires: [alone]}}
        """
    )
    assert app.errors() == [
        "app.yaml:3: error: entry app:client: lifecycle: services wait for each other in a circle: "
        "app:client -> app:host -> app:worker -> app:client\n"
        "    remove one of these from requires or depends_on",
        "app.yaml:6: error: entry app:alone: lifecycle: services wait for each other in a circle: "
        "app:alone -> app:alone\n    remove one of these from requires or depends_on",
    ]


def test_cycles_are_found_in_any_graph() -> None:
    assert list(cycles({"a": ["b"], "b": ["c", "d"], "c": ["d"]})) == []
    assert list(cycles({"a": ["b"], "b": ["a"], "x": ["a"]})) == [["a", "b", "a"]]
    assert list(cycles({"a": ["b", "c"], "b": ["a"], "c": ["a"]})) == [["a", "b", "a"], ["a", "c", "a"]]
    chain = {str(i): [str(i + 1)] for i in range(5000)}
    assert list(cycles(chain)) == []
    assert len(next(cycles({**chain, "5000": ["0"]}))) == 5002
