"""Runs scripts on the real engines in virtual time: the tests decide what the clock says and when timers fire."""

from __future__ import annotations

import json
import random
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

from fleet import _core
from fleet.modules import HOST
from fleet.workflow.schema import ACTIVATION, COMPLETION, SCHEMA

MODULES = ["time", "uuid", "json", "channel", "errors"]
START = 1_700_000_000_123_456_789
SEED = 42


class ScriptError(Exception):
    """The script ended with an error."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def program(text: str) -> _core.Program:
    """A program whose main function has `text` as its body; lines are counted from its first."""
    text = f"return {{ main = function(...) {text}\nend }}"
    manifest = {"entry": {"id": "app:test", "modules": MODULES, "imports": {}, "method": "main"}, "libraries": {}}
    return _core.Program({"main": _core.compile_lua(text.encode(), "@script.lua")}, manifest)


def decoded(payload: Payload) -> Any:
    """The value of a payload: JSON, or bytes."""
    return json.loads(payload.data) if payload.metadata["encoding"] == b"json/plain" else payload.data or None


class VirtualRun:
    """One run of a script on an engine.

    Attributes:
        now: the engine's clock, nanoseconds since 1970.
        timers: {number: when it fires} of those that are armed.
        armed: the durations of all timers in the order in which they were started, in nanoseconds.
        logged: (level, text) of each log line.
    """

    def __init__(self, script: str, **options: Any) -> None:
        self.now = START
        self.timers: dict[int, int] = {}
        self.armed: list[int] = []
        self.logged: list[tuple[str, str]] = []
        self.result: Any = None
        self.error: ScriptError | None = None
        self.host_functions: dict[str, Any] = {
            **HOST,
            "log": lambda level, text, fields=None: self.logged.append((level, text)),
        }
        self.state = _core.LuaState(host=self.host, **options)
        self.state.set_program(program(script))

    def host(self, name: str, *args: Any) -> Any:
        """core.host of the state."""
        return self.host_functions[name](*args)

    def arm(self, number: int, ns: int) -> None:
        """A timer was started."""
        self.armed.append(ns)
        self.timers[number] = self.now + ns

    def finish(self) -> Any:
        """Fire timers in their order until the script has ended, and return its value. Raises ScriptError."""
        while self.error is None and not self.state.stopped:
            if not self.timers:
                raise AssertionError("the script waits for ever:\n" + "\n".join(self.state.stacks()))
            self.fire_next()
        if self.error is not None:
            raise self.error
        return self.result

    def fire_next(self) -> None:
        """Advance the clock to the next timer and fire it."""
        number = min(self.timers, key=lambda n: (self.timers[n], n))
        self.now = max(self.now, self.timers.pop(number))
        self.fire(number)

    def fire(self, number: int) -> None:
        """Tell the engine that a timer is over."""
        raise NotImplementedError


class FunctionRun(VirtualRun):
    """A function call."""

    def __init__(self, script: str, args: tuple[Any, ...] = (), tz: str | None = None, **options: Any) -> None:
        super().__init__(script, engine="engine_function", sliced=True, **options)
        numbers = random.Random(SEED)
        self.host_functions.update(now=lambda: self.now, local_zone=lambda: tz, random_bytes=numbers.randbytes)
        payloads = [
            Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(a).encode()).SerializeToString() for a in args
        ]
        self.step(["start", payloads, None])

    def step(self, event: Any) -> None:
        """One event, and what the script asks for then."""
        out = self.state.step(event)
        for number, name, arguments in out.get("outbox") or ():
            if name == "sleep":
                self.arm(number, arguments[1])
            elif name == "abandon":
                self.timers.pop(number, None)
            else:
                raise AssertionError(f"unexpected request {name}")
        if out.get("error") is not None:
            self.error = ScriptError(out["error"].message, out["error"].kind)
        elif out.get("result") is not None:
            data = out["result"]
            self.result = decoded(Payload.FromString(data.encode() if isinstance(data, str) else data))

    def fire(self, number: int) -> None:
        self.step(["done", number, None])


class WorkflowRun(VirtualRun):
    """A workflow run. `commands` are the names of all commands in their order."""

    def __init__(self, script: str, args: tuple[Any, ...] = (), seed: int = SEED, **options: Any) -> None:
        super().__init__(
            script, engine="engine_workflow", schema=SCHEMA, message_in=ACTIVATION, message_out=COMPLETION, **options
        )
        self.commands: list[str] = []
        self.host_functions["run_info"] = lambda: {"task_queue": "q", "namespace": "default", "entry": "app:test"}
        activation = self.activation()
        start = activation.jobs.add().initialize_workflow
        start.workflow_id, start.workflow_type, start.randomness_seed = "w", "app:test", seed
        for arg in args:
            start.arguments.add(metadata={"encoding": b"json/plain"}, data=json.dumps(arg).encode())
        self.step(activation)

    def activation(self) -> WorkflowActivation:
        """An activation of now, without jobs."""
        activation = WorkflowActivation(run_id="r")
        activation.timestamp.FromNanoseconds(self.now)
        return activation

    def step(self, activation: WorkflowActivation) -> None:
        """One activation, and the commands that it brings."""
        completion = WorkflowActivationCompletion.FromString(self.state.step(activation.SerializeToString()))
        if completion.HasField("failed"):
            self.error = ScriptError(completion.failed.failure.message, "TASK_FAILED")
            return
        for command in completion.successful.commands:
            name = command.WhichOneof("variant")
            self.commands.append(name)
            if name == "start_timer":
                self.arm(command.start_timer.seq, command.start_timer.start_to_fire_timeout.ToNanoseconds())
            elif name == "cancel_timer":
                del self.timers[command.cancel_timer.seq]
            elif name == "complete_workflow_execution":
                self.result = decoded(command.complete_workflow_execution.result)
            elif name == "fail_workflow_execution":
                failure = command.fail_workflow_execution.failure
                self.error = ScriptError(failure.message, failure.application_failure_info.type)
            else:
                raise AssertionError(f"unexpected command {name}")

    def fire(self, number: int) -> None:
        activation = self.activation()
        activation.jobs.add().fire_timer.seq = number
        self.step(activation)
