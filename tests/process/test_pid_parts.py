"""PIDs in Python read as they do in Lua (spec/workflows.md, section 4; decision 29)."""

from __future__ import annotations

import pytest
from process_apps import LocalBench

from fleet.process.pid import Pid, parse

IDS = ["plain", "a|b", "a}b{", "100%", "%7C", "日本 @ x", "{a@b|c}", "a\nb"]
NO_PIDS = [
    "",
    "plain",
    "{a@b}",
    "{a@b|c",
    "a@b|c}",
    "{a@b|}",
    "{a@|c}",
    "{a@b|c}d}",
    "{a@b|c%}",
    "{a@b|%ff}",
    "{a@b|c}\n",
]


@pytest.mark.parametrize("id", IDS)
def test_parts_and_text_agree(id: str) -> None:
    pid = Pid("app:client", "app:worker", id)
    assert parse(str(pid)) == pid
    assert pid.is_workflow and not Pid("n-0123456789ab", "app:host", "0x00001").is_workflow


@pytest.mark.parametrize("text", NO_PIDS)
def test_other_texts_are_none(text: str) -> None:
    assert parse(text) is None


async def test_lua_reads_them_alike(local: LocalBench) -> None:
    """What Lua takes for a PID can be registered under a name; all else is refused before Python sees it."""
    texts = [str(Pid("app:client", "app:worker", id)) for id in IDS] + NO_PIDS
    got = await local.call(
        """
        local read = {}
        for i, text in ipairs(...) do read[i] = process.registry.register('name' .. i, text) or false end
        return read
        """,
        texts,
    )
    assert got == [parse(text) is not None for text in texts]
