"""The table of modules against what it describes: real Lua 5.5 and the registry's list of modules."""

from __future__ import annotations

import lupa.lua55
import pytest

from fleet.check.api import ABSENT, ALWAYS_MODULES, BASE_GLOBALS, BLOCKING, FORMER, MODULES, TYPES
from fleet.registry.modules import MODULES as LISTED

GLOBALS = lupa.lua55.LuaRuntime().globals()
OURS = {"coroutine": {"spawn"}, "os": {"platform"}}


@pytest.mark.parametrize("name", ["string", "table", "math", "utf8", "coroutine", "os", "debug"])
def test_standard_library_is_that_of_lua(name: str) -> None:
    absent = {full.removeprefix(f"{name}.") for full in ABSENT if full.startswith(f"{name}.")}
    assert set(MODULES[name].members) == set(GLOBALS[name].keys()) - absent | OURS.get(name, set())


def test_base_functions_are_those_of_lua() -> None:
    real = {str(name) for name in GLOBALS} - {"python"} - ABSENT.keys()
    assert real - BASE_GLOBALS == set()


def test_former_names_are_not_there() -> None:
    for name in FORMER:
        library, _, member = name.rpartition(".")
        assert member not in (MODULES[library].members if library else BASE_GLOBALS), name


def test_every_module_of_the_registry_is_described() -> None:
    assert LISTED.keys() - MODULES.keys() == set()
    assert MODULES.keys() - LISTED.keys() - ALWAYS_MODULES == set()


def test_results_name_types() -> None:
    for api in TYPES.values():
        for member, result in api.members.items():
            assert result == "" or result in TYPES, f"{api.name}.{member}"


def test_blocking_calls_exist() -> None:
    for owner, member in BLOCKING:
        assert member in TYPES[owner].members
