"""The work whose instructions guard.py counts; it is run under callgrind, and does each case once.

Usage: guard_work.py MARKS, the library made of guard_marks.c. Without callgrind it shows that the work can be done.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench_codec import DOCUMENTS, ENGINE, Codec
from functions import NativeFunction, lupa_function
from history import TASK_QUEUE, WORKFLOW
from temporalio.bridge.proto.workflow_activation import WorkflowActivation

import fleet
from fleet import _core
from fleet.registry import App
from fleet.workflow import Origin, WorkflowScripts

HERE = Path(__file__).parent
RUN = "00000000-0000-0000-0000-000000000001"

REFERENCE = "reference: a loop in plain Lua"
OPERATIONS = {
    REFERENCE: 20_000,
    "decode small": 200,
    "decode medium": 2,
    "encode small": 200,
    "encode medium": 2,
    "activation of one activity": 100,
    "state made and closed": 5,
    "scheduler turn": 2_000,
    "value through a channel": 2_000,
}
"""The cases, with how often each does its operation: some million instructions."""

Cases = Iterator[tuple[str, Callable[[], Any]]]


def codec(document: str, size: str) -> Cases:
    """A document read and written by the core."""
    _core.set_modules({"bench_codec_engine": _core.compile_lua(ENGINE.encode(), "@bench_codec_engine")})
    state = Codec(DOCUMENTS[document])
    for operation in ("decode", "encode"):
        name = f"{operation} {size}"
        event = {"operation": operation, "times": OPERATIONS[name]}
        # The first time through, buffers grow.
        state.step(event)
        yield name, lambda event=event: state.step(event)
    state.state.close()


def first_activation(activities: int) -> bytes:
    """The begin of a run."""
    message = WorkflowActivation(run_id=RUN, history_length=3)
    message.timestamp.FromSeconds(1_700_000_000)
    job = message.jobs.add().initialize_workflow
    job.workflow_type, job.workflow_id, job.randomness_seed = WORKFLOW, "guard", 1
    argument = job.arguments.add()
    argument.metadata["encoding"], argument.data = b"json/plain", str(activities).encode()
    return bytes(message.SerializeToString())


def resolved(number: int) -> bytes:
    """The activation that brings the result of an activity."""
    message = WorkflowActivation(run_id=RUN, history_length=3 + 6 * number)
    message.timestamp.FromSeconds(1_700_000_000 + number)
    job = message.jobs.add().resolve_activity
    job.seq = number
    result = job.result.completed.result
    result.metadata["encoding"], result.data = b"json/plain", b'{"i":%d}' % number
    return bytes(message.SerializeToString())


def activation(app: App) -> Cases:
    """A workflow gets a result, and schedules the next activity."""
    name = "activation of one activity"
    count = OPERATIONS[name]
    scripts = WorkflowScripts(app, pool_size=0)
    state = scripts.start(WORKFLOW, "guard", RUN, Origin(TASK_QUEUE, "default"))
    state.step(first_activation(2 * count + 10), 60.0)
    for number in range(1, count + 1):
        state.step(resolved(number), 60.0)
    messages = [resolved(number) for number in range(count + 1, 2 * count + 1)]
    completions: list[Any] = []

    def work() -> None:
        for message in messages:
            completions.append(state.step(message, 60.0))

    yield name, work
    if not all(b"bench:echo" in completion for completion in completions):
        raise RuntimeError("the workflow did not schedule its activities")
    state.close()
    scripts.close()


def states(app: App) -> Cases:
    """A run that finds no state prepared."""
    name = "state made and closed"
    scripts = WorkflowScripts(app, pool_size=0)
    program = scripts.programs.get(WORKFLOW)

    def work() -> None:
        for _ in range(OPERATIONS[name]):
            scripts.pool.take(program).close()

    work()
    yield name, work
    scripts.close()


def scheduler(app: App) -> Cases:
    """Two coroutines that give way to each other; one that sends to another."""
    for name, function in (("scheduler turn", "take_turns"), ("value through a channel", "handover")):
        native = NativeFunction(app, f"bench:{function}")
        native.prepare()
        yield name, lambda name=name, native=native: native.run(OPERATIONS[name])
        native.close()


def reference() -> Cases:
    """What no change of the project alters: the VM of the pinned lupa, without anything of ours."""
    function = lupa_function(HERE / "app" / "portable.lua", "arithmetic")
    yield REFERENCE, lambda: function(OPERATIONS[REFERENCE])


def cases(app: App) -> Cases:
    """All cases. The codec's come last: its engine takes the place of the standard modules."""
    yield from reference()
    yield from activation(app)
    yield from states(app)
    yield from scheduler(app)
    yield from codec("small (350 B)", "small")
    yield from codec("medium (50 KB)", "medium")


@contextmanager
def counted(marks: ctypes.CDLL, name: str) -> Iterator[None]:
    """Callgrind counts what happens in the block, under this name."""
    gc.collect()
    gc.disable()
    marks.guard_begin()
    yield
    marks.guard_end(name.encode())
    gc.enable()


def main(library: str) -> None:
    """Do each case once."""
    if _core.live_objects():
        raise SystemExit("the core is a debug build; the recorded counts are those of a release build")
    marks = ctypes.CDLL(library)
    done = set()
    for name, work in cases(fleet.load_app(HERE / "app")):
        with counted(marks, name):
            work()
        done.add(name)
    if done != set(OPERATIONS):
        raise RuntimeError(f"cases without work: {set(OPERATIONS) - done}")
    if not marks.guard_supervised():
        print("callgrind is not there: nothing was counted")


if __name__ == "__main__":
    main(sys.argv[1])
