"""Fleets on the test server, with an application that counts and waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helm_chart import render
from pod_node import Node, StartNode, require_namespaces
from supervised import OddFleet, Start, Supervised

INDEX = """\
version: "1.0"
namespace: app
entries:
  - {{name: temporal, kind: temporal.client, address: "127.0.0.1:1", connection_timeout: 3s}}
  - {{name: worker, kind: temporal.worker, client: "app:temporal", task_queue: "{queue}"}}
  - name: flow
    kind: workflow.lua
    source: file://flow.lua
    modules: [funcs, time]
    meta: {{temporal: {{workflow: {{worker: worker}}}}}}
  - name: append
    kind: function.lua
    source: file://append.lua
    method: main
    modules: [time]
    meta: {{temporal: {{activity: {{worker: worker}}}}}}
"""

FLOW = """\
local function main(order)
    local total = 0
    for step = 1, order.steps do
        local value, err = funcs.call("app:append", {step = step, wait = order.activity})
        if err then return nil, err end
        total = total + value
        time.sleep(order.pause or "10ms")
    end
    return {total = total, version = 1}
end
return { main = main }
"""

APPEND = """\
local function main(order)
    if order.wait then time.sleep(order.wait) end
    return order.step
end
return { main = main }
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An application with a task queue of its own."""
    root = tmp_path / "app"
    root.mkdir()
    (root / "_index.yaml").write_text(INDEX.format(queue=tmp_path.name))
    (root / "flow.lua").write_text(FLOW)
    (root / "append.lua").write_text(APPEND)
    return root


@pytest.fixture
def start(app: Path, tmp_path: Path, server_address: str) -> Iterator[Start]:
    """Starts `fleet supervise`; settings as keywords. Whatever was started is gone after the test."""
    begun: list[Supervised] = []

    def start(**more: Any) -> Supervised:
        prefix, environ = more.pop("prefix", []), more.pop("environ", {})
        address = more.pop("address", server_address)
        begun.append(Supervised(app, tmp_path, address, more, prefix, environ))
        return begun[-1]

    yield start
    for fleet in begun:
        fleet.clean_up()


@pytest.fixture
def odd(app: Path, tmp_path: Path) -> Iterator[Callable[..., OddFleet]]:
    """Starts a fleet of workers that misbehave, by generation: `odd({1: "hang"}, hung_after="3s")`."""
    begun: list[OddFleet] = []

    def odd(plan: dict[int, str], *, environ: dict[str, str] | None = None, **settings: str) -> OddFleet:
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        begun.append(OddFleet(app, tmp_path, "", settings, environ=environ or {}))
        return begun[-1]

    yield odd
    for fleet in begun:
        fleet.clean_up()


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[StartNode]:
    """Makes nodes for releases, and ends them."""
    require_namespaces()
    nodes: list[Node] = []

    def start(values: Any) -> Node:
        home = tmp_path / f"node{len(nodes)}"
        home.mkdir()
        nodes.append(Node(home, render(values)))
        return nodes[-1]

    yield start
    for node in nodes:
        node.end()
