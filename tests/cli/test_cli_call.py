"""fleet call."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from fleet_command import INDEX, Dev, Fleet


def test_result_has_the_digits_that_lua_gave(fleet: Fleet, lua: Callable[[str], str]) -> None:
    app = fleet.app(charge__lua=lua("    return order"))
    for text in ("9223372036854775807", "1.5", "[1,2,3]", '"日本"', "true", "null", "[]"):
        done = fleet("call", "shop:charge", text, "--app", app)
        assert (done.code, done.out) == (0, text + "\n")


def test_arguments_from_file_and_stdin(fleet: Fleet, lua: Callable[[str], str]) -> None:
    app = fleet.app(charge__lua="return { main = function(...) return {n = select('#', ...), args = {...}} end }")
    (fleet.home / "order.json").write_text('{"id": "1"}\n')
    done = fleet("call", "shop:charge", "@order.json", "-", "3", "--app", app, stdin="[1]")
    assert json.loads(done.out) == {"n": 3, "args": [{"id": "1"}, [1], 3]}


def test_failure_names_kind_message_and_line(fleet: Fleet, lua: Callable[[str], str]) -> None:
    app = fleet.app()
    done = fleet("call", "shop:charge", '{"amount": 200}', "--app", app)
    assert (done.code, done.out) == (1, "")
    assert "error: shop:charge failed: PERMISSION_DENIED: card declined" in done.err
    done = fleet("call", "shop:charge", "5", "--app", app)
    assert "error: shop:charge failed: INTERNAL: charge.lua:2: attempt to index a number value" in done.err
    assert "charge.lua:2: in " in done.err
    assert "Traceback" not in done.err


def test_json_has_result_or_error(fleet: Fleet) -> None:
    app = fleet.app()
    done = fleet("call", "shop:charge", '{"amount": 2}', "--app", app, "--json")
    assert json.loads(done.out) == {"result": {"amount": 2, "big": 9007199254740993}}
    done = fleet("call", "shop:charge", '{"amount": 200}', "--app", app, "--json")
    assert done.code == 1
    error = json.loads(done.out)["error"]
    assert (error["kind"], error["message"], error["retryable"]) == ("PERMISSION_DENIED", "card declined", False)


def test_what_a_function_prints_does_not_mix_with_its_result(fleet: Fleet, lua: Callable[[str], str]) -> None:
    done = fleet("call", "shop:charge", "--app", fleet.app(charge__lua=lua('    print("hello")\n    return 1')))
    assert done.out == "1\n"
    assert "INFO  shop:charge  hello" in done.err


def test_bytes_are_marked(fleet: Fleet, lua: Callable[[str], str]) -> None:
    done = fleet("call", "shop:charge", "--app", fleet.app(charge__lua=lua('    return "\\xff\\x00"')))
    assert json.loads(done.out) == {"encoding": "binary/plain", "base64": "/wA="}


PLACE = """\
  - name: place
    kind: function.lua
    source: file://place.lua
    method: main
    modules: [errors]
"""


@pytest.fixture
def placing(shared_fleet: Fleet, lua: Callable[[str], str]) -> Callable[[str], str]:
    """placing(body) -> an application like the one of `dev`, with a function shop:place."""
    return lambda body: str(
        shared_fleet.app("placing", _index__yaml=INDEX + PLACE, place__lua=lua(body)),
    )


def test_a_function_starts_workflows_and_waits_for_them(
    shared_fleet: Fleet, dev: Dev, placing: Callable[[str], str]
) -> None:
    app = placing('    return process.exec("shop:order", "shop:worker", order)')
    order = '{"id": "1", "amount": 3}'
    done = shared_fleet("call", "shop:place", order, "--app", app, "--address", dev.address)
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"id": "1", "charge": {"amount": 3, "big": 9007199254740993}}


def test_an_exit_event_and_a_failure(shared_fleet: Fleet, dev: Dev, placing: Callable[[str], str]) -> None:
    app = placing("""
        local pid = assert(process.spawn_monitored("shop:order", "shop:worker", order))
        local event = process.events():receive()
        return {same = event.from == pid, kind = event.kind, error = event.result.error:kind()}
    """)
    order = '{"id": "1", "amount": 300}'
    done = shared_fleet("call", "shop:place", order, "--app", app, "--address", dev.address)
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"same": True, "kind": "pid.exit", "error": "PERMISSION_DENIED"}


def test_without_a_server_the_script_is_told(shared_fleet: Fleet, placing: Callable[[str], str]) -> None:
    app = placing('    return process.spawn("shop:order", "shop:worker", order)')
    done = shared_fleet("call", "shop:place", "{}", "--app", app, "--address", "127.0.0.1:1")
    assert done.code == 1
    assert "UNAVAILABLE" in done.err
    assert "127.0.0.1:1" in done.err
    assert "--address" in done.err
