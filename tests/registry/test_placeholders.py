"""``${env:…}`` (registry.md, section 1)."""

from __future__ import annotations

from typing import Any

import pytest
from registry_sandbox import Sandbox

CLIENT = "- name: c\n  kind: temporal.client\n  address: x:1\n"


def meta(app: Sandbox, value: str) -> Any:
    app.entries(
        "- {name: l, kind: library.lua, source: return 1}\n"
        f"- name: m\n  kind: library.lua\n  source: return 1\n  meta: {{v: {value}}}"
    )
    return app.load().entries["app:m"].meta["v"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'${env:NAME}'", "set"),
        ("'${env:NAME|other}'", "set"),
        ("'${env:UNSET|other}'", "other"),
        ("'${env:EMPTY|other}'", "other"),
        ("'${UNSET|other}'", "other"),
        ("'${NAME|other}'", "set"),
        ("'${env:UNSET|}'", None),
        ("'x-${env:UNSET|}-y'", "x--y"),
        ("'$${env:NAME}'", "${env:NAME}"),
        ("'$${NAME|x} ${env:NAME}'", "${NAME|x} set"),
        ("'${env:NUMBER}'", 42),
        ("'${env:FRACTION}'", 2.5),
        ("'${env:YES}'", True),
        ("'${env:NULL}'", "null"),
        ("'${env:UNSET|7}'", 7),
        ("'n=${env:NUMBER}'", "n=42"),
        ("'${env:NAME}:${env:NUMBER}'", "set:42"),
        ("'${env:NAME}${env:NAME}'", "setset"),
        ("['${env:NUMBER}', {a: '${env:NAME}'}]", [42, {"a": "set"}]),
        ("'${lower|x} $NAME ${}'", "${lower|x} $NAME ${}"),
        ("'${env: NAME }'", "set"),
    ],
)
def test_placeholders_are_filled_in(app: Sandbox, written: str, value: Any) -> None:
    app.environ = {"NAME": "set", "EMPTY": "", "NUMBER": "42", "FRACTION": "2.5", "YES": "true", "NULL": "null"}
    read = meta(app, written)
    assert read == value and type(read) is type(value)


def test_a_text_field_takes_the_text_whatever_it_looks_like(app: Sandbox) -> None:
    app.environ = {"QUEUE": "00123", "NS": "true", "NO_NULL": "null"}
    app.entries(
        CLIENT + "  namespace: ${env:NS}\n  tq_prefix: ${env:NO_NULL}\n"
        "- {name: w, kind: temporal.worker, client: c, task_queue: '${env:QUEUE}'}"
    )
    loaded = app.load()
    assert loaded.clients["app:c"].namespace == "true"
    assert loaded.workers["app:w"].task_queue == "null00123"


def test_other_fields_get_the_type_that_yaml_gives(app: Sandbox) -> None:
    app.environ = {"TLS": "true", "SIZE": "7", "WAIT": "3s"}
    app.entries(
        CLIENT + "  tls: {enabled: '${env:TLS}'}\n  connection_timeout: ${env:WAIT}\n"
        "- {name: w, kind: temporal.worker, client: c, task_queue: q,"
        " worker_options: {max_concurrent_activity_task_pollers: '${env:SIZE}'}}"
    )
    loaded = app.load()
    assert loaded.clients["app:c"].tls.enabled is True
    assert loaded.workers["app:w"].worker_options.max_concurrent_activity_task_pollers == 7


def test_the_code_is_the_same_on_every_machine(app: Sandbox) -> None:
    app.environ = {"NAME": "set"}
    app.entries("- {name: l, kind: library.lua, source: 'return \"${env:NAME} ${NAME|x}\"'}")
    assert app.load().libraries["app:l"].source.text == 'return "${env:NAME} ${NAME|x}"'


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "${env:UNSET}",
            "address: environment variable UNSET is not set and has no default\n"
            "    set UNSET, or write ${env:UNSET|default}",
        ),
        ("${env:EMPTY}:7233", "environment variable EMPTY is not set and has no default"),
        ("${env:}", 'address: is not a placeholder (got "${env:}", expected ${env:NAME} or ${env:NAME|default})'),
        ("${env:NAME", 'address: is not a placeholder (got "${env:NAME"'),
        ("${env:A|{x}}", "address: is not a placeholder"),
    ],
)
def test_refusals_of_placeholders(app: Sandbox, written: str, message: str) -> None:
    app.environ = {"EMPTY": ""}
    app.entries(f"- name: c\n  kind: temporal.client\n  address: '{written}'\n  namespace: n")
    (error,) = app.errors()
    assert error.startswith("app.yaml:5: error: entry app:c: ")
    assert message in error


def test_a_name_without_env_and_default_is_probably_a_mistake(app: Sandbox) -> None:
    assert meta(app, "'${HOME}/x'") == "${HOME}/x"
    assert app.rendered() == [
        "app.yaml:7: warning: entry app:m: meta.v: ${HOME} is no placeholder and stays as it is\n"
        "    write ${env:HOME} for the variable, $${HOME} for the text itself"
    ]


def test_values_from_the_environment_are_not_shown(app: Sandbox) -> None:
    app.environ = {"TIMEOUT": "hunter2"}
    app.entries(CLIENT + "  connection_timeout: ${env:TIMEOUT}")
    (error,) = app.errors()
    assert "hunter2" not in error
    assert "connection_timeout: is not a duration (got the value of ${env:TIMEOUT}, expected numbers" in error


def test_variables_of_the_application_come_before_the_operating_system(app: Sandbox) -> None:
    app.environ = {"HOST": "from-os", "PORT": "1", "DECLARED": "from-os", "OS_ONLY": "os"}
    app.entries(
        """
        - name: static
          kind: env.storage.static
          values: {HOST: from-storage, PORT: ""}
        - {name: host, kind: env.variable, variable: HOST, storage: app:static}
        - {name: port, kind: env.variable, variable: PORT, storage: app:static, default: 7233}
        - {name: declared, kind: env.variable, variable: DECLARED, storage: app:static}
        - {name: private, kind: env.variable, storage: app:static, default: p}
        - name: x
          kind: library.lua
          source: return 1
          meta:
            name: ${env:HOST}
            id: ${env:app:host}
            bare: ${env:host}
            own_default: ${env:PORT|1}
            unset: ${env:DECLARED|inline}
            private: ${env:private}
            os: ${env:OS_ONLY}
        """
    )
    assert app.load().entries["app:x"].meta == {
        "name": "from-storage",
        "id": "from-storage",
        "bare": "from-storage",
        "own_default": 7233,
        "unset": "inline",
        "private": "p",
        "os": "os",
    }


@pytest.mark.parametrize(
    ("fields", "environ", "message"),
    [
        (
            "auth: {type: api_key, api_key_env: KEY}",
            {},
            "auth.api_key_env: environment variable KEY is not set\n"
            "    set KEY, or declare it as an env.variable with a default",
        ),
        (
            "auth: {type: api_key, api_key_env: '${env:NONE}'}",
            {},
            "auth.api_key_env: environment variable NONE is not set and has no default",
        ),
        ("auth: {type: api_key, api_key_env: 5}", {}, "auth.api_key_env: must be the name of a variable (got 5"),
    ],
)
def test_refusals_of_fields_that_name_a_variable(
    app: Sandbox, fields: str, environ: dict[str, str], message: str
) -> None:
    app.environ = environ
    app.entries(CLIENT + f"  {fields}")
    (error,) = app.errors()
    assert message in error


def test_fields_that_name_a_variable_take_its_value(app: Sandbox) -> None:
    app.environ = {"KEY": "12345", "CERT": "c", "PRIVATE": "p", "BUILD": "1.0"}
    app.entries(
        CLIENT + "  auth: {type: api_key, api_key_env: KEY}\n"
        "- {name: d, kind: temporal.client, address: 'x:1', auth: {type: mtls, cert_env: CERT, key_pem_env: PRIVATE}}\n"
        "- {name: w, kind: temporal.worker, client: c, task_queue: q, worker_options: {build_id_env: BUILD}}"
    )
    loaded = app.load()
    key = loaded.clients["app:c"].auth.api_key
    mtls = loaded.clients["app:d"].auth
    assert key is not None and key.reveal() == "12345"
    assert mtls.cert_pem == "c" and mtls.key_pem is not None and mtls.key_pem.reveal() == "p"
    options = loaded.workers["app:w"].worker_options
    assert (options.build_id, set(options.explicit)) == ("1.0", {"build_id"})
