"""fleet run, against the server of a running `fleet dev` and with its own."""

from __future__ import annotations

import json
from collections.abc import Callable

from fleet_command import INDEX, Dev, Fleet


def test_finds_the_running_dev_server(shared_fleet: Fleet, dev: Dev) -> None:
    done = shared_fleet("run", "shop:order", '{"id": "1", "amount": 5}', "--app", "app")
    assert (done.code, done.out) == (0, '{"charge":{"amount":5,"big":9007199254740993},"id":"1"}\n')
    assert "shop:order runs as shop:order-" in done.err
    assert "/namespaces/default/workflows/" in done.err
    assert "order 1" in dev.text


def test_failed_run(shared_fleet: Fleet, dev: Dev) -> None:
    done = shared_fleet("run", "shop:order", '{"id": "1", "amount": 500}', "--app", "app")
    assert (done.code, done.out) == (1, "")
    assert "error: shop:order failed: PERMISSION_DENIED: card declined" in done.err


def test_failed_run_with_its_stack(shared_fleet: Fleet, dev: Dev) -> None:
    done = shared_fleet("run", "shop:order", "{}", "--app", "app", "--json")
    assert done.code == 1
    facts = json.loads(done.out)
    assert facts["workflow_id"].startswith("shop:order-")
    assert facts["error"]["kind"] == "INTERNAL"
    assert facts["error"]["message"].startswith("order.lua:2: attempt to concatenate a nil value")
    assert "order.lua:2: in " in facts["error"]["stack"]


def test_detach_id_and_conflict(shared_fleet: Fleet, dev: Dev) -> None:
    order = '{"id": "2", "amount": 5, "wait": "1h"}'
    done = shared_fleet("run", "shop:order", order, "--app", "app", "--id", "order-2", "--detach")
    assert (done.code, done.out) == (0, "order-2\n")
    done = shared_fleet("run", "shop:order", order, "--app", "app", "--id", "order-2")
    assert done.code == 1
    assert "a workflow with the id order-2 already exists (run " in done.err
    assert "choose another --id" in done.err


def test_stops_waiting_after_the_timeout(shared_fleet: Fleet, dev: Dev) -> None:
    order = '{"id": "3", "amount": 5, "wait": "1h"}'
    done = shared_fleet("run", "shop:order", order, "--app", "app", "--id", "order-3", "--timeout", "1s")
    assert done.code == 1
    assert "order-3 has not ended after 1s; it goes on" in done.err


def test_address_and_namespace(shared_fleet: Fleet, dev: Dev) -> None:
    order = '{"id": "4", "amount": 5}'
    done = shared_fleet("run", "shop:order", order, "--app", "app", "--address", dev.address, "--json")
    assert (done.code, json.loads(done.out)["result"]["id"]) == (0, "4")
    done = shared_fleet("run", "shop:order", order, "--app", "app", "--address", dev.address, "--namespace", "none")
    assert done.code == 4
    assert "the namespace 'none' does not exist there" in done.err


def test_nobody_polls(shared_fleet: Fleet, dev: Dev) -> None:
    other = shared_fleet.app("other", _index__yaml=INDEX.replace("task_queue: shop}", "task_queue: forgotten}"))
    done = shared_fleet("run", "shop:order", '{"id": "5"}', "--app", other, "--address", dev.address, "--timeout", "6s")
    assert done.code == 1
    assert "warning: no worker polls the task queue forgotten" in done.err
    assert "`fleet dev APP` serves an application" in done.err


def test_nothing_answers(fleet: Fleet) -> None:
    app = fleet.app()
    done = fleet("run", "shop:order", "{}", "--app", app)
    assert done.code == 4
    assert "_index.yaml:4: entry shop:temporal: cannot connect to Temporal at 127.0.0.1:1" in done.err
    assert "(the address comes from the temporal.client entry; `fleet run --embedded` brings its own" in done.err
    fleet.environ["TEMPORAL_ADDRESS"] = "127.0.0.1:2"
    done = fleet("run", "shop:order", "{}", "--app", app)
    assert "cannot connect to Temporal at 127.0.0.1:2" in done.err
    assert "the address comes from TEMPORAL_ADDRESS" in done.err


def test_embedded(fleet: Fleet) -> None:
    done = fleet("run", "shop:order", '{"id": "1", "amount": 5}', "--app", fleet.app(), "--embedded", "--id", "one")
    assert (done.code, done.out) == (0, '{"charge":{"amount":5,"big":9007199254740993},"id":"1"}\n')
    assert "INFO  shop:order one  order 1" in done.err


def test_embedded_gives_up_when_the_workflow_task_fails(fleet: Fleet, lua: Callable[[str], str]) -> None:
    done = fleet("run", "shop:order", "--app", fleet.app(order__lua=lua("    while true do end")), "--embedded")
    assert done.code == 1
    assert "error: shop:order failed: TASK_FAILED: the workflow task failed 2 times: " in done.err
    assert "(an endless loop?)" in done.err
    assert "order.lua:2: in " in done.err


def test_workflow_without_worker(fleet: Fleet) -> None:
    app = fleet.app()
    index = app / "_index.yaml"
    index.write_text(index.read_text().replace("meta: {temporal: {workflow: {worker: worker}}}", "meta: {}"))
    done = fleet("run", "shop:order", "--app", app)
    assert done.code == 3
    assert "_index.yaml:6: shop:order names no worker, so nothing would run it" in done.err
