"""The worker deployment version that the environment names, for whoever rolls the fleet out."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from fleet.supervisor.release import BEHAVIOR, BUILD_ID, DEPLOYMENT

from .options import WorkerOptionsError

_RESERVED = {".", ":"}


def deployment_of(environ: Mapping[str, str], default_build_id: str) -> WorkerDeploymentConfig | None:
    """The version of all workers; None when the environment names no deployment, so that their entries decide.

    default_build_id: the version where the environment gives none, best a hash of the application. Raises
    WorkerOptionsError when the name cannot be one, or the behavior is neither pinned nor auto_upgrade, which is the
    default: a pinned run would wait for its version for ever once the pods of that version are gone.
    """
    name = environ.get(DEPLOYMENT)
    if not name:
        return None
    if _RESERVED & set(name):
        # The server would take the polls and never make a version of them.
        raise WorkerOptionsError(f"{DEPLOYMENT} is {name!r}\n    must not contain '.' or ':'")
    behavior = environ.get(BEHAVIOR) or "auto_upgrade"
    if behavior not in ("pinned", "auto_upgrade"):
        raise WorkerOptionsError(f"{BEHAVIOR} is {behavior!r}\n    must be pinned or auto_upgrade")
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(name, environ.get(BUILD_ID) or default_build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior[behavior.upper()],
    )
