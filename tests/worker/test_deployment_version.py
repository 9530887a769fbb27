"""The worker deployment version of the environment."""

from __future__ import annotations

import pytest
from temporalio.common import VersioningBehavior

from fleet.worker.options import WorkerOptionsError
from fleet.worker.version import deployment_of


def test_without_a_name_the_entries_decide() -> None:
    assert deployment_of({"TEMPORAL_WORKER_BUILD_ID": "v7", "TEMPORAL_DEPLOYMENT_NAME": ""}, "hash") is None


def test_the_build_is_the_hash_of_the_application_and_runs_move_on_unless_told_otherwise() -> None:
    config = deployment_of({"TEMPORAL_DEPLOYMENT_NAME": "shop"}, "hash")
    assert config is not None
    assert (config.version.deployment_name, config.version.build_id) == ("shop", "hash")
    assert config.use_worker_versioning
    assert config.default_versioning_behavior == VersioningBehavior.AUTO_UPGRADE


def test_what_the_environment_says_wins() -> None:
    environ = {
        "TEMPORAL_DEPLOYMENT_NAME": "shop",
        "TEMPORAL_WORKER_BUILD_ID": "v7",
        "TEMPORAL_DEFAULT_VERSIONING_BEHAVIOR": "pinned",
    }
    config = deployment_of(environ, "hash")
    assert config is not None
    assert config.version.build_id == "v7"
    assert config.default_versioning_behavior == VersioningBehavior.PINNED


def test_an_unknown_behavior() -> None:
    environ = {"TEMPORAL_DEPLOYMENT_NAME": "shop", "TEMPORAL_DEFAULT_VERSIONING_BEHAVIOR": "maybe"}
    with pytest.raises(WorkerOptionsError, match="must be pinned or auto_upgrade"):
        deployment_of(environ, "hash")


@pytest.mark.parametrize("name", ["shop.v1", "shop:v1"])
def test_names_that_the_server_never_answers_to(name: str) -> None:
    with pytest.raises(WorkerOptionsError, match=r"must not contain '\.' or ':'"):
        deployment_of({"TEMPORAL_DEPLOYMENT_NAME": name}, "hash")
