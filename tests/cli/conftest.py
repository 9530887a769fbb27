"""The `fleet` command for tests; what it is, is in fleet_command.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fleet_command import Dev, Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """The command, with a home of its own."""
    return Fleet(tmp_path)


@pytest.fixture(scope="module")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """The command, with a home for all tests of a module."""
    return Fleet(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def dev(shared_fleet: Fleet) -> Iterator[Dev]:
    """`fleet dev` of the shop, for all tests of a module."""
    running = shared_fleet.dev(shared_fleet.app())
    yield running
    running.stop()


@pytest.fixture
def lua() -> Callable[[str], str]:
    """A chunk whose main function has this body."""
    return lambda body: f"local function main(order)\n{body}\nend\nreturn {{ main = main }}\n"
