"""Entries that cannot be loaded: the worker refuses to start, or the task fails, always with file and line."""

from __future__ import annotations

from typing import Any

import pytest
from bare_run import BareRun, TaskFailed, result
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

import fleet
from fleet.lua import ScriptProblem
from fleet.registry import AppError


async def test_syntax_error_stops_the_worker(bench: Any) -> None:
    bench.workflow("local function main()\nlocal x = = 1\nend\nreturn { main = main }")
    bench.function("return { main = function() return 1 + end }", "broken")
    with pytest.raises(AppError) as caught:
        async with bench.serving(bench.load()):
            pass
    text = str(caught.value)
    assert "wf.lua:2" in text and "app:wf" in text and "unexpected symbol near '='" in text
    assert "broken.lua:1" in text and "app:broken" in text


async def test_syntax_error_stops_the_replayer(bench: Any) -> None:
    bench.workflow("return { main = ")
    with pytest.raises(RuntimeError) as caught:
        await Replayer(workflows=[], plugins=[fleet.LuaPlugin(bench.load())]).replay_workflow(WorkflowHistory("x", []))
    assert isinstance(caught.value.__cause__, ScriptProblem) and "wf.lua:1" in str(caught.value.__cause__)


def failure(bench: Any, text: str, **options: Any) -> Any:
    bench.lua("workflow.lua", "wf", text, **options)
    with pytest.raises(TaskFailed) as caught:
        BareRun(bench.load()).start()
    return caught.value.failure


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return { other = function() end }", 'method "main" not found in module (app:wf)'),
        ("return { main = 7 }", 'method "main" not found in module (app:wf)'),
        (
            "local x = 1",
            "the file of app:wf returns a nil: expected a function, or a table like `return { main = main }`",
        ),
        ("return 'text'", "the file of app:wf returns a string"),
        ("\nerror('at load')", "wf.lua:2: at load"),
        ("\nlocal x = nil + 1", "wf.lua:2: attempt to perform arithmetic on a nil value"),
        ("\nrequire('time').sleep('1s')", "cannot wait here: the body of a file runs once when it is loaded"),
        ("\nrequire('funcs').call('app:x')", "cannot wait here: the body of a file"),
        ("\ncoroutine.spawn(function() end)", "cannot wait here: the body of a file"),
        ("\nchannel.new():receive()", "cannot wait here: the body of a file"),
        ("\nerror(errors.new('object'))", "object"),
        ("\nwhile true do end", "budget exceeded"),
        ("\nrequire('nothere')", "module 'nothere' not found"),
    ],
)
def test_bad_body_fails_the_task(bench: Any, text: str, message: str) -> None:
    failed = failure(bench, text, modules="time funcs")
    assert message in failed.message
    if text.startswith("\n"):
        assert "wf.lua:2" in failed.message + failed.stack_trace


def test_error_in_a_library_names_the_library(bench: Any) -> None:
    bench.lua("library.lua", "lib", "\n\nerror('broken library')")
    failed = failure(bench, "return { main = function() end }", imports={"lib": "app:lib"})
    assert "lib.lua:3: broken library" in failed.message


def test_file_may_return_the_function_itself(bench: Any) -> None:
    bench.lua("workflow.lua", "wf", "return function(a, b) return a + b end")
    assert result(BareRun(bench.load()).start(1, 2)) == 3


def test_library_is_a_global_and_required_and_made_once(bench: Any) -> None:
    bench.lua("library.lua", "lib", "return { n = 0, id = tostring({}) }")
    bench.workflow("lib.n = lib.n + 1 return {require('lib') == lib, lib.n}", imports={"lib": "app:lib"})
    app = bench.load()
    for _ in range(2):  # each run has a state, and so a library, of its own
        assert result(BareRun(app).start()) == [True, 1]


async def test_bad_body_on_a_server_fails_the_task_until_it_is_fixed(bench: Any) -> None:
    bench.workflow("error('half deployed')\nreturn { main = function() end }")
    async with bench.serving(bench.load()) as serving:
        handle = await bench.start(serving)
        failed = (await bench.event(handle, "workflow_task_failed")).failure
    assert "wf.lua:1: half deployed" in failed.message
    app = bench.deploy("return { main = function() return 'fixed' end }")
    async with bench.serving(app):
        assert (await bench.outcome(handle)).result == "fixed"
