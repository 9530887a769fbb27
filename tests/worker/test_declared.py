"""Serving begins only where the namespace has the declared search attributes (decision 35)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from temporal_cli import TemporalCli

from fleet.cli.exit import CONFIGURATION
from fleet.cli.known_errors import known_error
from fleet.server.registration import ensure_search_attributes
from fleet.worker.declared import MissingSearchAttributes


async def refusal(bench: Any) -> str:
    with pytest.raises(MissingSearchAttributes) as raised:
        async with bench.serving(bench.load()):
            pass
    known = known_error(raised.value)
    assert known is not None and known.code == CONFIGURATION
    return str(raised.value)


async def test_missing_ones_are_named_with_the_command_that_adds_them(bench: Any) -> None:
    bench.search_attributes = {"Region": "Keyword", "Weight": "Double"}
    bench.workflow("return workflow.attrs({search = {Weight = 1.5}})", modules="workflow")
    text = await refusal(bench)
    assert re.match(r".*_index.yaml:\d+: entry app:temporal: the namespace default at \S+ does not have", text)
    assert "not there: Region, Weight; add them with" in text
    command = next(line.strip() for line in text.splitlines() if "operator search-attribute create" in line)
    assert command.endswith("--namespace default --name Region --type Keyword --name Weight --type Double")
    words = command.split()
    position = words.index("--address")
    await TemporalCli(words[position + 1]).text(*words[1:position], *words[position + 2 :])
    # The server's other parts learn of it a moment after the command.
    await ensure_search_attributes(await bench.client(), "default", bench.search_attributes)
    assert (await bench.run()).result is True


async def test_another_type_there(bench: Any) -> None:
    await ensure_search_attributes(await bench.client(), "default", {"Height": "Int"})
    bench.search_attributes = {"Height": "Keyword"}
    bench.workflow("return 1")
    text = await refusal(bench)
    assert "Height is Int there, declared as Keyword: declare it as it is, or under another name" in text
