"""What the pure modules do inside workflows: the same, on the run's time and within its budget (decisions 5 and 11)."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow"))

from bare_run import START, BareRun, decoded

from fleet.registry import load_app

SECRET = "a secret that is long enough for HS256"
HEAD = """version: "1.0"
namespace: app
entries:
  - {name: client, kind: temporal.client, address: "127.0.0.1:7233"}
  - {name: worker, kind: temporal.worker, client: "app:client", task_queue: q}
  - name: wf
    kind: workflow.lua
    source: file://wf.lua
    modules: [crypto, hash, base64, logger]
    meta: {temporal: {workflow: {worker: "app:worker"}}}
"""


@pytest.fixture
def in_workflow(tmp_path: Path) -> Callable[..., Any]:
    """in_workflow(body, *args) -> the result of a workflow that ends in its first task."""

    def run(body: str, *args: Any) -> Any:
        (tmp_path / "_index.yaml").write_text(HEAD)
        (tmp_path / "wf.lua").write_text(f"return {{ main = function(...)\n{body}\nend }}")
        commands = BareRun(load_app(tmp_path)).start(*args)
        return decoded(commands[-1].complete_workflow_execution.result)

    return run


def test_digests_and_derivation(in_workflow: Callable[..., Any]) -> None:
    got = in_workflow("""
        logger:info('in a workflow', {n = 1})
        local same = crypto.hmac.sha256('k', 'd') == hash.hmac_sha256('d', 'k')
        return {hash.sha256('x'), base64.decode(base64.encode('y')), same,
            base64.encode(crypto.pbkdf2('p', 's', 1000, 16))}
    """)
    assert got[:3] == [hashlib.sha256(b"x").hexdigest(), "y", True]


def test_derivation_that_does_not_fit_the_budget(in_workflow: Callable[..., Any]) -> None:
    got = in_workflow("""
        local v, err = crypto.pbkdf2('p', 's', 1000001, 32)
        return {v == nil, err:kind(), err:message()}
    """)
    assert got[:2] == [True, "INVALID"]
    assert got[2].startswith("1000001 rounds take longer than a workflow may compute: derive the key in a function")


def test_tokens_are_judged_at_the_time_of_the_run(in_workflow: Callable[..., Any]) -> None:
    valid, expired = (jwt.encode({"exp": START + seconds}, SECRET) for seconds in (60, -60))
    got = in_workflow(
        """
        local key, valid, expired = ...
        local _, err = crypto.jwt.verify(expired, key)
        return {crypto.jwt.verify(valid, key).exp, err:message()}
    """,
        SECRET,
        valid,
        expired,
    )
    assert got == [START + 60, "the token has expired"]
