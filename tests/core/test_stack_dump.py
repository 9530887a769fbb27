"""What a process that a fatal signal ends says of its Lua."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleet import _core

PROGRAM = """\
import faulthandler, os, signal, sys, threading, time
from fleet import _core

ENGINE = '''
local core, base = ...
return {
    apply = function()
        local chunk = core.chunk("main", base)
        core.start(function() chunk(core.host) end)
    end,
    flush = function() return nil end,
    failed = function(err, traceback) error(base.tostring(err) .. traceback) end,
}
'''
SCRIPT = '''
local host = ...
local function inner()
    host("stop")
end
local function deep(n)
    if n > 0 then deep(n - 1) return n end
    coroutine.wrap(function() inner() return 1 end)()
    return n
end
deep(DEPTH)
'''.replace("DEPTH", sys.argv[2])

def stop(name):
    if sys.argv[1] == "elsewhere":
        main_waits.release()
        time.sleep(1000)
    if sys.argv[1] == "segv":
        import ctypes
        ctypes.string_at(0)
    os.abort()

_core.set_modules({"engine_test": _core.compile_lua(ENGINE.encode(), "=[engine_test]")})
program = _core.Program({"main": _core.compile_lua(SCRIPT.encode(), "@script.lua")}, None)
state = _core.LuaState(engine="engine_test", host=stop)
state.set_program(program)
_core.dump_lua_on_fatal(2)
faulthandler.enable(all_threads=True)
main_waits = threading.Semaphore(0)
if sys.argv[1] == "nothing":
    os.abort()
if sys.argv[1] == "elsewhere":
    threading.Thread(target=state.step, args=("run", 1000.0), daemon=True).start()
    main_waits.acquire()
    os.abort()
state.step("run")
"""

FRAMES = """\
  [C]: in function 'host'
  script.lua:4: in function 'inner'
  script.lua:8: in function <8>
  resumed by
  [C]
  script.lua:8: in function 'deep'
  script.lua:7: in function 'deep'
  script.lua:11: in function 'chunk'
  [engine_test]:6: in function <6>
"""


def ended(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        # The build that is under test, which need not be that of the checkout.
        env={**os.environ, "PYTHONPATH": str(Path(_core.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(("how", "number"), [("abort", signal.SIGABRT), ("segv", signal.SIGSEGV)])
def test_after_the_stacks_of_python_come_those_of_lua(how: str, number: int) -> None:
    code, text = ended(how, "1")
    assert code == -number
    python, _, lua = text.partition("\nLua in thread ")
    assert "in stop" in python
    assert FRAMES in lua
    # The same thread as in Python's list.
    assert f"thread {lua[:18]}".lower() in python.lower()


def test_lua_of_another_thread_is_shown() -> None:
    code, text = ended("elsewhere", "1")
    assert code == -signal.SIGABRT
    python, _, lua = text.partition("\nLua in thread ")
    assert FRAMES in lua
    assert f"Thread {lua[:18]} (most recent call first):" in python


def test_a_stack_that_is_deep_is_cut() -> None:
    _, text = ended("abort", "5000")
    assert "script.lua:7: in function 'deep'\n  ...\n" in text


def test_without_lua_that_is_said() -> None:
    code, text = ended("nothing", "1")
    assert code == -signal.SIGABRT and text.endswith("\nNo Lua was running.\n")
