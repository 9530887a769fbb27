"""Asks the server what becomes of the versions that workers run as: one that is not current gets nothing, silently."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.deployment.v1 import WorkerDeploymentVersion as ApiVersion
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus as ApiStatus
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentVersionRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode

from fleet.supervisor.page import Routing, Slot

log = logging.getLogger(__name__)

_INTERVAL = 15.0
_IMPATIENT = 2.0
"""Seconds between two questions while a version is not known yet, or somebody waits for its promotion to be seen."""

_TIMEOUT = timedelta(seconds=10)
_ROUTING = {
    ApiStatus.WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE: Routing.INACTIVE,
    ApiStatus.WORKER_DEPLOYMENT_VERSION_STATUS_CREATED: Routing.INACTIVE,
    ApiStatus.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT: Routing.CURRENT,
    ApiStatus.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING: Routing.RAMPING,
    ApiStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING: Routing.DRAINING,
    ApiStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED: Routing.DRAINED,
}
_TEXTS = {
    Routing.INACTIVE: "gets no tasks, because it is not the current version of its worker deployment",
    Routing.CURRENT: "is the current one: new runs come here",
    Routing.RAMPING: "is ramping: a part of the new runs comes here",
    Routing.DRAINING: "is draining: it gets the tasks of runs that are pinned to it, and no new ones",
    Routing.DRAINED: "is drained: no open run is pinned to it, and its workers can go",
}


@dataclass(frozen=True)
class ServedVersion:
    """A version of a worker deployment, and the client whose namespace it is in."""

    client: Client
    version: WorkerDeploymentVersion


async def follow_versions(versions: Collection[ServedVersion], block: Slot) -> None:
    """Show in `block.routing`, and log, what the server sends to each version, until cancelled."""
    seen: dict[WorkerDeploymentVersion, Routing] = {}
    while versions:
        for served in versions:
            routing = await _routing(served)
            if routing is not Routing.UNKNOWN and seen.get(served.version) is not routing:
                seen[served.version] = routing
                _tell(served, routing)
        # Of several versions, the one to which the least is sent.
        block.routing = min(seen.values(), default=Routing.UNKNOWN)
        # The server knows of a version when its first poll has come.
        settled = len(seen) == len(versions) and block.routing is not Routing.INACTIVE
        await asyncio.sleep(_INTERVAL if settled else _IMPATIENT)


async def _routing(served: ServedVersion) -> Routing:
    """What the server sends to the version; UNKNOWN when it does not know it or does not say."""
    name, build_id = served.version.deployment_name, served.version.build_id
    request = DescribeWorkerDeploymentVersionRequest(
        namespace=served.client.namespace,
        deployment_version=ApiVersion(deployment_name=name, build_id=build_id),
    )
    try:
        answer = await served.client.workflow_service.describe_worker_deployment_version(request, timeout=_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            log.debug("the state of version %s:%s is not known: %s", name, build_id, error)
        return Routing.UNKNOWN
    return _ROUTING.get(answer.worker_deployment_version_info.status, Routing.UNKNOWN)


def _tell(served: ServedVersion, routing: Routing) -> None:
    name, build_id = served.version.deployment_name, served.version.build_id
    text = f"version {name}:{build_id} {_TEXTS[routing]}"
    facts = {"event": "version", "deployment_name": name, "build_id": build_id, "routing": routing.name.lower()}
    if routing is Routing.INACTIVE:
        command = f"temporal worker deployment set-current-version --deployment-name {name} --build-id {build_id}"
        log.warning("%s\n    `%s` makes it so", text, command, extra={"fleet": facts})
    else:
        log.info("%s", text, extra={"fleet": facts})
