from __future__ import annotations

from pathlib import Path

import pytest
from registry_sandbox import Sandbox


@pytest.fixture
def app(tmp_path: Path) -> Sandbox:
    root = tmp_path / "app"
    root.mkdir()
    return Sandbox(root)
