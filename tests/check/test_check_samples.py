"""The samples of the user's document in realistic applications: no false alarm, and what is wrong in them is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from check_apps import ALL_MODULES, Check, activity, entry, lines, main, workflow

_TEXT = (Path(__file__).parent / "document_samples.md").read_text()
SAMPLES: dict[str, str] = dict(re.findall(r"^## (.*?)\n\n```lua\n(.*?)```", _TEXT, re.S | re.M))

# What is wrong in the samples as they are printed (spec/decisions.md, the last section).
FINDINGS = {
    "all start options (function)": [
        "error sample.lua:21 cron_schedule and start_delay cannot be set together: the server refuses to start such a"
        " workflow",
    ],
    "inbox (workflow)": ["error sample.lua:16 undefined global 'process_order'"],
    "what to avoid (workflow)": [
        "error sample.lua:9 'io.open' does not exist in workflows",
        "warning sample.lua:12 assignment to global 'counter': global state",
    ],
    "saga (workflow)": ["error sample.lua:15 undefined global 'run_compensations'"],
    # A fragment: `result` is declared by what stands around it.
    "version (workflow)": ["warning sample.lua:5 assignment to global 'result': global state"],
}

_ACTIVITIES = (
    "charge_payment ship_order refund_payment old_payment new_payment echo_activity fetch_data risky_activity"
    " unreliable_activity reserve_inventory release_inventory"
)
_WORKFLOWS = (
    "order_workflow child_workflow counter_workflow error_child_workflow hello_workflow long_workflow error_workflow"
    " child"
)
ACTIVITIES = _ACTIVITIES.split()
WORKFLOWS = _WORKFLOWS.split()


def chunk(code: str) -> str:
    """A sample as a whole chunk: fragments become the body of a main function with the variables they mention."""
    method = "handler" if "local function handler" in code else "main"
    if f"local function {method}" not in code:
        return main(code, "order, input, input_data, id, workflow_pid, pid")
    if "\nreturn {" in code:
        return code
    return f"{code}\nreturn {{ main = {method} }}\n"


def check_sample(check: Check, name: str) -> list[str]:
    kind = "workflow.lua" if "(workflow)" in name else "function.lua"
    modules = [*ALL_MODULES, "http"] if "(http)" in name else ALL_MODULES
    sample = entry("sample", kind, chunk(SAMPLES[name]), modules)
    return lines(check(sample, *map(activity, ACTIVITIES), *map(workflow, WORKFLOWS)))


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_of_the_document(check: Check, name: str) -> None:
    assert check_sample(check, name) == FINDINGS.get(name, [])


def test_there_are_all_samples() -> None:
    assert len(SAMPLES) == 44


def test_saga_hint_says_where_the_helper_is(check: Check) -> None:
    sample = entry("sample", "workflow.lua", chunk(SAMPLES["saga (workflow)"]), ALL_MODULES)
    problem = check(sample, *map(activity, ACTIVITIES))[0]
    assert problem.hint == (
        "'run_compensations' is declared local later, at line 32: move it up, above line 1; also at line 25"
    )


def test_saga_repaired_is_clean(check: Check) -> None:
    code = SAMPLES["saga (workflow)"]
    helper = code[code.index("local function run_compensations") :]
    repaired = f"{helper}\n{code.removesuffix(helper)}\nreturn {{ main = main }}\n"
    sample = entry("sample", "workflow.lua", repaired, ALL_MODULES)
    assert check(sample, *map(activity, ACTIVITIES)) == []
