"""No program makes `fleet check` fail: whatever the parser accepts, the rules can be run over."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from check_apps import ALL_MODULES, BASE_ENTRIES, activity, workflow
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.check import LuaSyntaxError, check_app, parse
from fleet.registry import App, LuaEntry, LuaSource, load_app

TEXT = (Path(__file__).parent / "document_samples.md").read_text()
SAMPLES = re.findall(r"```lua\n(.*?)```", TEXT, re.S)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    root = tmp_path_factory.mktemp("app")
    flow = workflow("flow") | {"modules": ALL_MODULES}
    entries = [*BASE_ENTRIES, activity("charge_payment"), flow, workflow("child_workflow")]
    (root / "_index.yaml").write_text(yaml.safe_dump({"namespace": "app", "entries": entries}))
    return load_app(root)


def with_source(app: App, text: str) -> App:
    """The application with another text for `app:flow`."""
    flow = app.entries["app:flow"]
    assert isinstance(flow, LuaEntry)
    return replace(app, entries={**app.entries, flow.id: replace(flow, source=LuaSource(text, "flow.lua"))})


@given(st.integers(0, 2**32), st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=3))
@settings(max_examples=400, deadline=None, database=None)
def test_mutilated_samples(app: App, seed: int, samples: list[str]) -> None:
    """Names, strings and numbers of real programs exchanged for each other."""
    chance = random.Random(seed)
    pieces = re.findall(r'"[^"\n]*"|[\w.]+|\s+|[^\w\s]', "\n".join(f"do\n{sample}\nend" for sample in samples))
    words = [piece for piece in pieces if re.match(r'["\w]', piece)]
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(pieces))
        if re.match(r'["\w]', pieces[at]):
            pieces[at] = chance.choice([*words, "nil", "{}", "(...)", "function() end", "-1"])
    text = "".join(pieces)
    problems = check_app(with_source(app, text))
    try:
        parse(text)
    except LuaSyntaxError as error:
        assert any(problem.message.startswith(error.message) for problem in problems)
    for problem in problems:
        if problem.entry == "app:flow":
            assert problem.file == "flow.lua"
            assert 1 <= problem.line <= text.count("\n") + 1
            assert problem.render()


@pytest.mark.parametrize(
    "body",
    [
        "x = ('a')" + ":rep(1)" * 20000,
        "x = process.with_options({})" + ":with_name('a')" * 20000,
        "x = " + "1+" * 20000 + "1",
        "local a = a\n" * 190,
        "local a, b = b, a\na, b = b, a\nfuncs.call(a)",
        "local s = process.with_options({})\ns = s\ns = s:with_name(s)\nlocal t = s\ns = t\nt:spawn('app:x', 'q')",
        "global x = x\nglobal funcs = funcs\nfuncs.call(funcs)",
    ],
)
def test_strange_programs(app: App, body: str) -> None:
    check_app(with_source(app, f"{body}\nreturn {{ main = print }}"))
