"""temporal.client and temporal.worker (registry.md, section 3)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from registry_sandbox import Sandbox

from fleet.registry import AuthConfig, ClientEntry, TlsConfig, WorkerOptions

CLIENT = "- name: c\n  kind: temporal.client\n  address: localhost:7233\n"
WORKER = CLIENT + "- name: w\n  kind: temporal.worker\n  client: app:c\n  task_queue: q\n"


def client(app: Sandbox, fields: str) -> ClientEntry:
    app.entries(CLIENT + fields)
    return app.load().clients["app:c"]


def test_defaults_of_a_client(app: Sandbox) -> None:
    entry = client(app, "")
    assert (entry.address, entry.namespace, entry.tq_prefix) == ("localhost:7233", "default", "")
    assert entry.connection_timeout == timedelta(seconds=10)
    assert (entry.keep_alive_time, entry.keep_alive_timeout) == (timedelta(seconds=30), timedelta(seconds=10))
    assert (entry.auth, entry.tls, entry.tls_enabled) == (AuthConfig(), TlsConfig(), False)
    assert (entry.health_check.enabled, entry.health_check.interval) == (False, timedelta(seconds=30))
    assert entry.search_attributes == {}
    assert entry.grpc_compression is None


def test_every_field_of_a_client(app: Sandbox) -> None:
    entry = client(
        app,
        """
  namespace: prod
  tq_prefix: dev-
  connection_timeout: 1m
  keep_alive_time: 15s
  keep_alive_timeout: 5s
  grpc_compression: gzip
  auth: {type: mtls, cert_file: certs/client.pem, key_file: /run/secrets/key.pem}
  tls: {enabled: true, ca_file: certs/ca.pem, server_name: temporal.internal}
  health_check: {enabled: true, interval: 5s}
  search_attributes: {Customer: keyword, Tags: keyword_list, Amount: DOUBLE, When: Datetime}
  lifecycle: {auto_start: true}
""",
    )
    assert app.rendered() == []
    assert entry.namespace == "prod"
    assert entry.grpc_compression == "gzip"
    assert entry.auth.cert_file == app.root / "certs/client.pem"
    assert entry.auth.key_file == Path("/run/secrets/key.pem")
    assert entry.tls.ca_file == app.root / "certs/ca.pem"
    assert entry.tls_enabled and entry.tls.server_name == "temporal.internal"
    assert entry.search_attributes == {
        "Customer": "Keyword",
        "Tags": "KeywordList",
        "Amount": "Double",
        "When": "Datetime",
    }
    assert entry.lifecycle.auto_start


def test_a_key_is_hidden_and_implies_tls(app: Sandbox) -> None:
    entry = client(app, "  auth: {type: api_key, api_key: sk-1234}")
    assert entry.auth.api_key is not None and entry.auth.api_key.reveal() == "sk-1234"
    assert entry.tls_enabled
    assert "sk-1234" not in repr(entry)


def test_a_key_may_come_from_a_file_of_the_application(app: Sandbox) -> None:
    app.write({"key.pem": "-----BEGIN"})
    entry = client(app, "  auth: {type: mtls, cert_pem: c, key_pem: 'file://key.pem'}")
    assert entry.auth.key_pem is not None and entry.auth.key_pem.reveal() == "-----BEGIN"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "app.yaml:3: error: entry app:c: address: address is required"),
        ("address: ''", "address: address is required"),
        ("address: 7233", 'address: has the wrong type (got 7233, expected a string)\n    put it in quotes: "7233"'),
        (
            "address: 'http://x:1'",
            'address: is not an address (got "http://x:1", expected host:port, such as localhost',
        ),
        ("address: localhost", "address: is not an address"),
        (
            "address: 'x:1', connection_timeout: 10",
            'connection_timeout: has the wrong type (got 10, expected a duration string such as "30s")\n'
            '    write "10s" for seconds',
        ),
        (
            "address: 'x:1', connection_timeout: 10x",
            'connection_timeout: is not a duration (got "10x", expected numbers',
        ),
        (
            "address: 'x:1', connection_timeout: -1s",
            'connection_timeout: connection timeout must be >= 0 (got "-1s")',
        ),
        ("address: 'x:1', keep_alive_time: -1s", "keep_alive_time: keep alive time must be >= 0"),
        ("address: 'x:1', keep_alive_timeout: -1s", "keep_alive_timeout: keep alive timeout must be >= 0"),
        (
            "address: 'x:1', grpc_compression: zstd",
            'grpc_compression: is not a known value (got "zstd", expected gzip or none)',
        ),
        (
            "address: 'x:1', auth: {type: apikey}",
            'auth.type: is not a known value (got "apikey", expected none or api_key or mtls)\n'
            "    did you mean api_key?",
        ),
        (
            "address: 'x:1', auth: {type: api_key}",
            "auth: API key source is required (expected one of api_key, api_key_env, api_key_file)",
        ),
        ("address: 'x:1', auth: {type: api_key, api_key: ''}", "auth: API key source is required"),
        (
            "address: 'x:1', auth: {type: api_key, api_key: hunter2, api_key_file: f}",
            "auth: multiple API key sources specified (expected exactly one of api_key, api_key_env, api_key_file)",
        ),
        (
            "address: 'x:1', auth: {type: api_key, api_key: hunter2, api_key_env: KEY}",
            "auth.api_key_env: multiple API key sources specified",
        ),
        (
            "address: 'x:1', auth: {type: api_key, api_key_env: KEY, api_key_file: f}",
            "multiple API key sources specified",
        ),
        (
            "address: 'x:1', auth: {type: mtls, key_file: k}",
            "auth: mTLS certificate is required (expected one of cert_file, cert_pem, cert_env)",
        ),
        (
            "address: 'x:1', auth: {type: mtls, key_file: k, cert_file: c, cert_pem: p}",
            "auth: multiple mTLS certificate sources specified",
        ),
        (
            "address: 'x:1', auth: {type: mtls, cert_file: c}",
            "auth: mTLS key is required (expected one of key_file, key_pem, key_pem_env)",
        ),
        (
            "address: 'x:1', auth: {type: mtls, cert_file: c, key_file: k, key_pem: hunter2}",
            "auth: multiple mTLS key sources specified",
        ),
        (
            "address: 'x:1', auth: {type: mtls, cert_file: c, key_pem: hunter2, key_pem_env: KEY}",
            "auth.key_pem_env: multiple mTLS key sources specified",
        ),
        ("address: 'x:1', auth: hunter2", "auth: has the wrong type (expected a map)"),
        (
            "address: 'x:1', auth: {type: api_key, api_key: [hunter2]}",
            "auth.api_key: has the wrong type (expected a str",
        ),
        (
            "address: 'x:1', tls: {server_name: n, insecure_skip_verify: true}",
            "tls.insecure_skip_verify: cannot use insecure skip verify with server name",
        ),
        ("address: 'x:1', tls: {enabled: 1}", "tls.enabled: has the wrong type (got 1, expected true or false)"),
        ("address: 'x:1', tls: {ca_file: ''}", "tls.ca_file: ca file cannot be empty"),
        ("address: 'x:1', tls: true", "tls: has the wrong type (got true, expected a map)"),
        (
            "address: 'x:1', health_check: {enabled: true, interval: 0s}",
            'health_check.interval: health check interval must be > 0 when enabled (got "0s")',
        ),
        (
            "address: 'x:1', search_attributes: {A: keywrd}",
            'search_attributes.A: is not a known value (got "keywrd", expected Text or Keyword or Int or Double '
            "or Bool or Datetime or KeywordList)\n    did you mean Keyword?",
        ),
        ("address: 'x:1', namespace: ''", "namespace: namespace cannot be empty"),
    ],
)
def test_refusals_of_a_client(app: Sandbox, fields: str, message: str) -> None:
    app.environ = {"KEY": "hunter2"}
    app.entries(f"- {{name: c, kind: temporal.client, {fields}}}")
    (error,) = app.errors()
    assert message in error
    assert "hunter2" not in error


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("adress: x", "adress: unknown field, it has no effect\n    did you mean address?"),
        (
            "auth: {api_key: k}",
            "auth.type: an API key is given, but auth.type is none: it is not used\n    write type: api_",
        ),
        ("auth: {type: api_key, api_key: k, key_file: k}", "a certificate or key is given, but auth.type is api_key"),
        ("tls: {enable: true}", "tls.enable: unknown field, it has no effect\n    did you mean enabled?"),
    ],
)
def test_warnings_of_a_client(app: Sandbox, fields: str, message: str) -> None:
    app.entries(CLIENT + "  " + fields)
    (warning,) = app.rendered()
    assert warning.startswith("app.yaml:6: warning: entry app:c: ")
    assert message in warning


def test_defaults_of_a_worker(app: Sandbox) -> None:
    app.entries(WORKER)
    worker = app.load().workers["app:w"]
    assert (worker.client, worker.task_queue, worker.requires) == ("app:c", "q", ("app:c",))
    options = worker.worker_options
    assert options == WorkerOptions()
    assert options.max_concurrent_activity_execution_size == 1000
    assert options.max_concurrent_eager_activity_execution_size == 0
    assert options.max_concurrent_workflow_task_pollers == 20
    assert options.sticky_schedule_to_start_timeout == timedelta(seconds=5)
    assert options.explicit == frozenset()


def test_the_prefix_of_the_client_stands_before_the_queue(app: Sandbox) -> None:
    app.entries(WORKER.replace("app:c", "c").replace("localhost:7233\n", "localhost:7233\n  tq_prefix: dev-\n"))
    assert app.load().workers["app:w"].task_queue == "dev-q"


def test_every_worker_option(app: Sandbox) -> None:
    options = {
        "identity": "me",
        "max_concurrent_activity_execution_size": 1,
        "max_concurrent_workflow_task_execution_size": 2,
        "max_concurrent_local_activity_execution_size": 3,
        "max_concurrent_session_execution_size": 4,
        "max_concurrent_eager_activity_execution_size": 5,
        "max_concurrent_activity_task_pollers": 1,
        "max_concurrent_workflow_task_pollers": 2,
        "worker_activities_per_second": 1.5,
        "worker_local_activities_per_second": 2,
        "task_queue_activities_per_second": 100000,
        "sticky_schedule_to_start_timeout": "1s",
        "worker_stop_timeout": "2s",
        "deadlock_detection_timeout": "3s",
        "max_heartbeat_throttle_interval": "4s",
        "default_heartbeat_throttle_interval": "5s",
        "enable_logging_in_replay": "true",
        "enable_session_worker": "yes",
        "disable_workflow_worker": "false",
        "local_activity_worker_only": "true",
        "disable_eager_activities": "true",
        "disable_registration_aliasing": "true",
        "deployment_name": "d",
        "build_id": "b",
        "use_versioning": "true",
        "default_versioning_behavior": "pinned",
    }
    app.entries(WORKER + "  worker_options:\n" + "".join(f"    {name}: {value}\n" for name, value in options.items()))
    loaded = app.load()
    read = loaded.workers["app:w"].worker_options
    assert loaded.warnings == []
    assert read.explicit == set(options)
    assert {field for field in options if getattr(read, field) == getattr(WorkerOptions(), field)} == {
        "disable_workflow_worker"
    }
    assert read.worker_local_activities_per_second == 2.0
    assert read.default_heartbeat_throttle_interval == timedelta(seconds=5)


def test_sizes_and_pollers_of_zero_and_below_become_the_default(app: Sandbox) -> None:
    app.entries(
        WORKER
        + "  worker_options: {max_concurrent_activity_execution_size: 0, max_concurrent_workflow_task_pollers: -5,"
        + " max_concurrent_eager_activity_execution_size: -1}\n"
    )
    read = app.load().workers["app:w"].worker_options
    assert read.max_concurrent_activity_execution_size == 1000
    assert read.max_concurrent_workflow_task_pollers == 20
    assert read.max_concurrent_eager_activity_execution_size == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("task_queue: q", "client: client reference is required"),
        ("client: '', task_queue: q", "client: client reference is required"),
        ("client: c", "task_queue: task queue is required"),
        ("client: c, task_queue: ''", "task_queue: task queue is required"),
        ("client: none, task_queue: q", "client: refers to app:none, which does not exist (expected temporal.client)"),
        ("client: h, task_queue: q", "client: refers to app:h, which is a process.host (expected temporal.client)"),
        ("client: c, task_queue: q, worker_options: 5", "worker_options: has the wrong type (got 5, expected a map)"),
        (
            "client: c, task_queue: q, worker_options: {max_concurrent_workflow_task_pollers: 1}",
            "worker_options.max_concurrent_workflow_task_pollers: max concurrent workflow task pollers cannot be 1",
        ),
        (
            "client: c, task_queue: q, worker_options: {worker_activities_per_second: -1}",
            "worker_options.worker_activities_per_second: worker activities per second cannot be negative (got -1",
        ),
        (
            "client: c, task_queue: q, worker_options: {worker_local_activities_per_second: -0.5}",
            "worker local activities per second cannot be negative (got -0.5",
        ),
        (
            "client: c, task_queue: q, worker_options: {task_queue_activities_per_second: -1}",
            "task queue activities per second cannot be negative",
        ),
        (
            "client: c, task_queue: q, worker_options: {task_queue_activities_per_second: .nan}",
            "task queue activities per second must be finite",
        ),
        (
            "client: c, task_queue: q, "
            "worker_options: {disable_workflow_worker: true, local_activity_worker_only: true}",
            "disable_workflow_worker and local_activity_worker_only exclude each other",
        ),
        (
            "client: c, task_queue: q, worker_options: {default_versioning_behavior: auto}",
            'default_versioning_behavior: is not a known value (got "auto", expected pinned or auto_upgrade)',
        ),
        (
            "client: c, task_queue: q, worker_options: {max_concurrent_activity_execution_size: many}",
            'has the wrong type (got "many", expected a whole number)',
        ),
        ("client: c, task_queue: q, worker_options: {worker_stop_timeout: 10}", 'write "10s" for seconds'),
        (
            "client: c, task_queue: q, worker_options: {build_id: a, build_id_env: KEY}",
            "worker_options.build_id_env: build_id and build_id_env are both given",
        ),
        (
            "client: c, task_queue: q, lifecycle: {requires: [none]}",
            "lifecycle.requires.0: refers to app:none, which does",
        ),
    ],
)
def test_refusals_of_a_worker(app: Sandbox, fields: str, message: str) -> None:
    app.entries(f"- {{name: w, kind: temporal.worker, {fields}}}\n- {{name: h, kind: process.host}}\n" + CLIENT)
    (error,) = app.errors()
    assert error.startswith("app.yaml:3: error: entry app:w: ")
    assert message in error


def test_an_unknown_worker_option_is_a_warning(app: Sandbox) -> None:
    app.entries(WORKER + "  worker_options: {max_concurrent_activity_pollers: 3}")
    (warning,) = app.rendered()
    assert "worker_options.max_concurrent_activity_pollers: unknown field, it has no effect" in warning
    assert "did you mean max_concurrent_activity_task_pollers?" in warning


def test_two_workers_cannot_share_client_and_queue(app: Sandbox) -> None:
    app.entries(
        WORKER
        + "- {name: w2, kind: temporal.worker, client: c, task_queue: q}\n"
        + "- {name: d, kind: temporal.client, address: 'x:1', tq_prefix: q}\n"
        + "- {name: w3, kind: temporal.worker, client: d, task_queue: q}\n"
        + "- {name: w4, kind: temporal.worker, client: c, task_queue: qq}\n"
    )
    assert app.errors() == [
        "app.yaml:10: error: entry app:w2: task_queue: task queue q of client app:c has a worker already: "
        "app:w (app.yaml:6)\n    give it another queue, or let its workflows and activities name that worker"
    ]


def test_search_attributes_of_a_workflows_options_are_declared(app: Sandbox) -> None:
    app.entries(
        WORKER.replace("7233\n", "7233\n  search_attributes: {status: Keyword}\n")
        + """- name: flow
  kind: workflow.lua
  source: return 1
  meta:
    temporal: {workflow: {worker: app:w}}
    options:
      temporal.workflow.search_attributes: {status: new, statsu: x, weight: 5}
"""
    )
    assert app.rendered() == [
        "app.yaml:14: error: entry app:flow: meta: temporal.workflow.search_attributes: search attribute statsu is not"
        " declared on app:c\n    did you mean status?",
        "app.yaml:14: error: entry app:flow: meta: temporal.workflow.search_attributes: search attribute weight is not"
        " declared on app:c\n    add it to search_attributes: of app:c",
    ]
