"""Versioned deployments: two releases of the chart on a real server, promoted by the commands of the documentation."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import uuid
from typing import Any

import pytest
from helm_chart import ROOT, pod_of
from helm_release import values, wait_ready
from pod_node import Container, Node, StartNode
from supervised import until
from temporal_cli import TemporalCli
from temporalio.client import Client, WorkflowHandle

FLOW = """\
local process = require("process")
local function main()
    process.listen("go"):receive()
    return "{}"
end
return {{ main = main }}
"""


def documented(subcommand: str, deployment: str, build_id: str) -> list[str]:
    """A command of docs/kubernetes.md, about another deployment and version."""
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    [line] = re.findall(rf"^temporal (worker deployment {subcommand} .*)$", text, re.MULTILINE)
    words = shlex.split(line)
    for flag, value in (("--name", deployment), ("--deployment-name", deployment), ("--build-id", build_id)):
        if flag in words:
            words[words.index(flag) + 1] = value
    return words


def routing(container: Container) -> str | None:
    """What `fleet status` says of the version."""
    done = container.run(["fleet", "status", "/app", "--json"])
    assert done.returncode == 0, done.stderr
    found: str | None = json.loads(done.stdout)["workers"][0]["routing"]
    return found


def release(start_node: StartNode, address: str, queue: str, code: str, versioning: Any) -> Node:
    """A release whose workflow returns the name of its code."""
    chosen = values(address, queue, flow=FLOW.format(code))
    return start_node({**chosen, "versioning": versioning})


@pytest.mark.parametrize(("behavior", "finishes_on"), [("auto_upgrade", "B"), ("pinned", "A")])
async def test_runs_finish_where_their_behavior_says(
    behavior: str, finishes_on: str, start_node: StartNode, server_address: str
) -> None:
    """The first release has its version from the values, the second as Temporal's worker controller gives it."""
    deployment, queue = f"prod/shop-{uuid.uuid4().hex[:8]}", f"versions-{behavior}"
    cli, client = TemporalCli(server_address), await Client.connect(server_address)
    versioning = {"enabled": True, "deploymentName": deployment, "buildId": "v7", "behavior": behavior}
    first = release(start_node, server_address, queue, "A", versioning)
    one = first.start(pod_of(first.objects)["spec"])
    await asyncio.to_thread(wait_ready, one, first.objects)

    # Ready, and yet it gets nothing: log and status say so, with the command that changes it.
    await asyncio.to_thread(until, lambda: routing(one) == "inactive", lambda: one.log)
    [warning] = [json.loads(line) for line in one.log.splitlines() if '"routing":"inactive"' in line]
    command = "temporal " + shlex.join(w for w in documented("set-current-version", deployment, "v7") if w != "--yes")
    assert command in warning["message"]
    assert "these workers get NO tasks" in one.run(["fleet", "status", "/app"]).stdout

    await cli.text(*documented("set-current-version", deployment, "v7"))
    old = await client.start_workflow("app:flow", id=f"old-{uuid.uuid4()}", task_queue=queue)
    await asyncio.to_thread(until, lambda: '"routing":"current"' in one.log, lambda: one.log)

    second = release(start_node, server_address, queue, "B", {"enabled": False})
    environ = {"TEMPORAL_DEPLOYMENT_NAME": deployment, "TEMPORAL_WORKER_BUILD_ID": "v8"}
    if behavior == "pinned":
        environ["TEMPORAL_DEFAULT_VERSIONING_BEHAVIOR"] = "pinned"
    two = second.start(pod_of(second.objects)["spec"], environ=environ)
    await asyncio.to_thread(wait_ready, two, second.objects)
    await asyncio.to_thread(until, lambda: routing(two) == "inactive", lambda: two.log)
    await _reaches(old, "v7")

    await cli.text(*documented("set-ramping-version", deployment, "v8"))
    assert "v8" in await cli.text(*documented("describe", deployment, "v8"))
    await cli.text(*documented("set-current-version", deployment, "v8"))
    new = await client.start_workflow("app:flow", id=f"new-{uuid.uuid4()}", task_queue=queue)
    # The task queue has heard of the promotion.
    await _reaches(new, "v8")
    for handle in (old, new):
        await handle.signal("go")
    assert await old.result() == finishes_on
    assert await new.result() == "B"


async def _reaches(handle: WorkflowHandle[Any, Any], build_id: str) -> None:
    """Wait until a task of the run was done by a worker of this version."""
    while True:
        described = await handle.describe()
        info = described.raw_description.workflow_execution_info.versioning_info
        if info.deployment_version.build_id == build_id:
            return
        await asyncio.sleep(0.1)
