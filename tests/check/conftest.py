"""Applications on disk, loaded by the real registry and checked."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_apps import ALL_MODULES, BASE_ENTRIES, Check, activity, entry, workflow

from fleet.check import check_app
from fleet.registry import Problem, load_app


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check an application of the given entries, sources of `*.lua` kinds in files of their own.

    The source of entry `app:x` is the file `x.lua`, so that its lines are those of the text that was given.
    """

    def run(*entries: dict[str, Any]) -> list[Problem]:
        made = []
        for given in [*BASE_ENTRIES, *entries]:
            if "source" in given:
                name = f"{given['name']}.lua"
                (tmp_path / name).write_text(textwrap.dedent(str(given["source"])))
                given = given | {"source": f"file://{name}"}
            made.append(given)
        document = {"version": "1.0", "namespace": "app", "entries": made}
        (tmp_path / "_index.yaml").write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
        return check_app(load_app(tmp_path))

    return run


@pytest.fixture
def check_workflow(check: Check) -> Check:
    """Check one workflow, `app:flow`, beside a few activities and workflows that it may use."""

    def run(source: str, *entries: dict[str, Any], modules: list[str] | None = None, **more: Any) -> list[Problem]:
        flow = entry("flow", "workflow.lua", source, ALL_MODULES if modules is None else modules, **more)
        return check(flow, activity("charge_payment"), workflow("child_workflow"), *entries)

    return run


@pytest.fixture
def check_function(check: Check) -> Check:
    """Check one function, `app:code`, beside a few entries that it may use."""

    def run(source: str, *entries: dict[str, Any], modules: list[str] | None = None) -> list[Problem]:
        listed = [*ALL_MODULES, "http_client", "http", "env"] if modules is None else modules
        code = entry("code", "function.lua", source, listed)
        return check(code, activity("charge_payment"), workflow("order_workflow"), *entries)

    return run
