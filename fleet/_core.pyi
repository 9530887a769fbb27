"""The native core: Lua states, their scheduler, codecs and limits. See core_ext/types.pxd for the design."""

import asyncio
import contextvars
from collections.abc import Callable, Iterable
from typing import Any

from temporalio.worker import SlotMarkUsedContext, SlotReleaseContext, SlotReserveContext

class LuaSyntaxError(Exception):
    """A Lua file that does not compile; the text has file:line."""

class LuaValueError(Exception):
    """A value that cannot cross between Lua and Python."""

class LuaFault(Exception):
    """The engine failed, or an entry could not be loaded; the text has the Lua traceback."""

class LuaViolation(Exception):
    """The budget, the memory limit or the sandbox was violated; the text is the report with the Lua traceback."""

    kind: str

class LuaError:
    """An error object on its way between Lua and Python (lua_api.md 7)."""

    message: str
    kind: str
    retryable: bool | None
    details: Any
    stack: str
    thrown: bool | None
    def __init__(
        self,
        message: str,
        kind: str = "UNKNOWN",
        retryable: bool | None = None,
        details: Any = None,
        stack: str = "",
        thrown: bool | None = None,
    ) -> None: ...

class Schema:
    """Protobuf message types: a list of (special, fields)."""

    def __init__(self, messages: list[tuple[str, list[Any]]]) -> None: ...

def activation_head(run_id: int, is_replaying: int, jobs: int, activation: bytes, /) -> tuple[str, bool, int]:
    """(run id, is it replaying, sorts of its jobs as a bit set of field numbers); the arguments are field numbers."""

def completion_head(successful: int, failed: int, commands: int, completion: bytes, /) -> tuple[bool, int]:
    """(has the task failed, sorts of its commands as a bit set of field numbers); the arguments are field numbers."""

class Permit:
    """A permit that the SDK holds. One that it drops is free."""

class PermitRequest:
    """A poll that asks for a permit. The bridge takes it for a future of asyncio's."""

    def add_done_callback(self, callback: Callable[[PermitRequest], object], /, *, context: object = None) -> None:
        """Call it with this when the permit is granted: on whatever thread, at once if it is."""

    def result(self) -> Permit:
        """The permit, once."""

    def cancel(self) -> None:
        """Nobody waits for it any more."""

class Permits:
    """The permits for one kind of tasks on one task queue; a slot supplier, as the bridge sees it."""

    def __init__(self, words: memoryview, most: int, /, *, is_shared: bool, is_eager: bool) -> None:
        """words: the worker's words in the page. most: the limit of the entry's own options, never exceeded. is_shared:
        there are polls for the tasks of cached runs too. is_eager: tasks come without a poll too."""

    @property
    def limit(self) -> int:
        """How many permits may be held now."""

    def reserve_slot(self, ctx: SlotReserveContext, created: Callable[[PermitRequest], object], /) -> PermitRequest:
        """A PermitRequest, which `created` is called with too."""

    def try_reserve_slot(self, ctx: SlotReserveContext, /) -> Permit | None:
        """A permit for a task that comes without a poll, None without a free one."""

    def mark_slot_used(self, ctx: SlotMarkUsedContext, /) -> None:
        """A task has come."""

    def release_slot(self, ctx: SlotReleaseContext, /) -> None:
        """The task has ended, or the poll without one."""

    def serve(self) -> None:
        """Grant what waits, in order, as far as the limit allows; bring the sums up to date."""

class InHand:
    """The words of a worker's block that change with each task. Any thread may call its methods."""

    def __init__(self, words: memoryview, patience: float, /) -> None:
        """words: the worker's block in the page. patience: seconds that an activation waits for the one before it."""

    def begin(self, run_id: str, /) -> bool:
        """An activation of the run begins; returns whether it has the turn, for `end`."""

    def end(self, run_id: str, turn: bool, /) -> None:
        """An activation has ended."""

    def activity_begins(self) -> None:
        """One begins."""

    def activity_ended(self, error: BaseException | None, is_local: bool, /) -> None:
        """One has ended, with an error or without."""

class PermitLoop:
    """Stands in for the event loop where temporalio's bridge asks it to await a PermitRequest."""

    def __init__(self, loop: asyncio.AbstractEventLoop, /) -> None:
        """loop: what everything else goes to."""

    def create_future(self) -> asyncio.Future[Any]:
        """A future of the loop's."""

    def call_soon_threadsafe(
        self, callback: Callable[..., object], /, *args: object, context: contextvars.Context | None = None
    ) -> None:
        """Call at once; what has arguments, as results of the bridge's own futures have, on the loop."""

class Delivery:
    """Stands in for the event loop in calls of temporalio's bridge, and for the future of a poll."""

    settled: Callable[[], object] | None
    """Called on the loop when no completion is under way any more; None while nobody waits for that."""

    def __init__(
        self,
        wake: Callable[..., object],
        taken: Callable[[bytes], object],
        ended: Callable[[Exception], object],
        /,
    ) -> None:
        """wake: call_soon_threadsafe of the loop. taken, ended: called on it with what a poll gives or raises."""

    def __len__(self) -> int:
        """How many completions are under way."""

    def poll(self) -> None:
        """The next call of the bridge is a poll."""

    def completion(
        self, id: str, failed: Callable[[str, Exception], object], arrived: Callable[[], object] | None, /
    ) -> None:
        """The next call of the bridge hands in a completion; `failed` and `arrived` are called on the loop."""

    def withdraw(self) -> None:
        """The call has raised: there is no completion."""

class Program:
    """What one entry runs: bytecode by chunk name, and a manifest for the engine."""

    chunks: dict[str, bytes]
    def __init__(self, chunks: dict[str, bytes], manifest: Any) -> None: ...

class LuaState:
    """One Lua state: a workflow run, a function call or a process."""

    host: Callable[..., Any] | None
    program: Program | None
    def __init__(
        self,
        *,
        engine: str,
        host: Callable[..., Any] | None = None,
        memory_limit: int = 67108864,
        instruction_limit: int = 18446744073709551615,
        sliced: bool = False,
        schema: Schema | None = None,
        message_in: int = 0,
        message_out: int = 0,
    ) -> None: ...
    def set_program(self, program: Program) -> None:
        """Give a prepared state what it will run. Once, before the first step."""

    def step(self, event: Any, seconds: float = 1.0, *, function: str = "apply", flush: bool = True) -> Any:
        """Apply an event, run what is ready, and return what the engine has to say."""

    def rest(self) -> int:
        """Make the state small, for it will wait. Returns its bytes from now on."""

    def stacks(self) -> list[str]:
        """The Lua traceback of every task, in order of creation."""

    def close(self) -> None:
        """Free the Lua state now. Idempotent."""

    @property
    def memory_used(self) -> int:
        """Bytes that the state takes, with what its allocator holds in reserve."""

    @property
    def instructions(self) -> int:
        """VM instructions of the last step."""

    @property
    def runnable(self) -> bool:
        """Is there work left, because a slice was over?"""

    @property
    def stopped(self) -> bool:
        """Has the main function ended?"""

class Pool:
    """Prepared states, so that a new run does not wait for one."""

    size: int
    def __init__(self, make: Callable[[], LuaState], size: int) -> None: ...
    def take(self, program: Program) -> LuaState:
        """A state of its own for one run; never comes back."""

    def refill(self) -> None:
        """Prepare as many states as there is room for."""

    def close(self) -> None:
        """Close the states that nobody took."""

    def __len__(self) -> int: ...

def compile_lua(source: bytes, chunk_name: str, *, local_names: bool = True) -> bytes:
    """Compile Lua text to bytecode. Raises LuaSyntaxError."""

def set_modules(code: dict[str, bytes], passing: Iterable[str] = (), shared: Iterable[str] = ()) -> None:
    """Give the core the compiled Lua halves of the standard modules; passing: those that waiting runs need not keep;
    shared: those that all states have in common."""

def dump_lua_on_fatal(descriptor: int) -> None:
    """At SIGABRT, SIGSEGV, SIGBUS, SIGFPE and SIGILL write the Lua stacks of all threads to a file descriptor.

    To be called before `faulthandler.enable`, which then dumps the stacks of Python first, and calls this afterwards.
    Raises OSError.
    """

def live_objects() -> dict[str, int]:
    """Counts of live C objects in a debug build; empty otherwise."""
