"""Imports go downward only (docs/architecture.md): a package may use what stands below it, never beside or above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "fleet"

# From the top down; packages in one row do not know each other.
LAYERS = [
    {"cli"},
    {"worker", "replay", "supervisor"},
    {"http"},
    {"process", "lane"},
    {"workflow", "activity", "check", "server"},
    {"modules"},
    {"lua"},
    {"registry"},
    {"_core", "metrics"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# These share a row in the table above, but replaying uses the worker's client, and a worker of a fleet its page.
ALLOWED = {("replay", "worker"), ("worker", "supervisor")}

NO_TEMPORAL = {"registry", "lua", "check", "metrics", "supervisor"}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of what a module imports, with the line; relative imports stay inside their package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "fleet":
                yield from ((f"fleet.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


def test_every_package_has_its_layer() -> None:
    assert set(PACKAGES) <= set(LEVEL), "give the new package a place in LAYERS"


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_downward(package: str) -> None:
    wrong = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for name, line in imports(path):
            parts = name.split(".")
            where = f"{path.relative_to(ROOT)}:{line}: imports {name}"
            if parts[0] == "temporalio" and package in NO_TEMPORAL:
                wrong.append(where)
            if parts[0] != "fleet" or len(parts) < 2 or parts[1] == package or parts[1] not in LEVEL:
                continue
            if LEVEL[parts[1]] <= LEVEL[package] and (package, parts[1]) not in ALLOWED:
                wrong.append(where)
    assert not wrong, "\n".join(wrong)


def test_no_file_is_too_long() -> None:
    root = ROOT.parent
    files = [*ROOT.rglob("*.py"), *root.glob("core_ext/*.p*"), *root.glob("lua_modules/*.lua")]
    long = {str(path.relative_to(root)): n for path in files if (n := len(path.read_text().splitlines())) > 600}
    assert not long
