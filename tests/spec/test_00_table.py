"""docs/specification.md names every test of this directory, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent


def named_in(path: Path) -> set[str]:
    found = set()
    for node in ast.parse(path.read_text()).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        inside = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for member in members:
            if isinstance(member, ast.AsyncFunctionDef | ast.FunctionDef) and member.name.startswith("test_"):
                found.add(f"{path.name}::{inside}{member.name}")
    return found


def test_the_table_is_complete() -> None:
    table = (HERE.parents[1] / "docs" / "specification.md").read_text()
    named = set(re.findall(r"`(test_\w+\.py::[\w:]+)`", table))
    exist = {name for path in HERE.glob("test_*.py") if path != Path(__file__) for name in named_in(path)}
    assert named == exist
