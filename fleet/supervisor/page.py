"""The memory that supervisor and workers share: facts of each worker and wishes of the supervisor, never messages.

One anonymous mapping, made before the first fork and inherited by all. Everything in it is a 64-bit word, written by
one process and read by others; a word is never seen half written. A slot's block begins on a cache line of its own, so
that the beats of neighbours do not slow each other down. Times are `time.monotonic_ns`, which all processes share.
"""

from __future__ import annotations

import mmap
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

MAX_QUEUES = 32
"""Task queues (temporal.worker entries, in the order of their ids) that have words of their own in a block."""

QUARANTINE_SIZE = 64

QUARANTINED_FROM = 2
"""Workers that went down in a run before its tasks are failed without running it: once can be chance."""

_READS = 1000
_LINE = 64
_WORD = 8
_RUN_ID_BYTES = 36
_RUN_ID_WORDS = 5

_FIRST_QUEUE_WORD = 32
_TASKS_WORDS = 8
_BLOCK_WORDS = _FIRST_QUEUE_WORD + MAX_QUEUES * 2 * _TASKS_WORDS
_ENTRY_WORDS = 8
_COUNT = 5
_SERIAL = 6
_HEADER_WORDS = 8


class State(IntEnum):
    """What the process of a slot does."""

    EMPTY = 0
    STARTING = 1
    READY = 2
    DRAINING = 3


class Routing(IntEnum):
    """What the server sends to the version that a worker runs as, from the least on; UNKNOWN also without versions."""

    UNKNOWN = 0
    INACTIVE = 1
    DRAINED = 2
    DRAINING = 3
    RAMPING = 4
    CURRENT = 5


class Kind(IntEnum):
    """Kinds of tasks that a worker polls for."""

    WORKFLOW = 0
    ACTIVITY = 1


class Lane(IntEnum):
    """How a worker runs workflows and activities: a bit for each way, since its temporal.worker entries may differ."""

    NONE = 0
    FAST = 1
    PUBLIC = 2
    MIXED = 3


class Activating(NamedTuple):
    """An activation that has not ended: the run's id and when it began (monotonic ns)."""

    run_id: str
    since: int


_Named = TypeVar("_Named", bound=IntEnum)


class _Word:
    """A word of a block, as an attribute."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __get__(self, block: Slot | Tasks, owner: type) -> int:
        return block.words[self._index]

    def __set__(self, block: Slot | Tasks, value: int) -> None:
        block.words[self._index] = value


class _Choice(Generic[_Named]):
    """A word whose values have names, as an attribute."""

    def __init__(self, index: int, names: type[_Named]) -> None:
        self._index = index
        self._names = names

    def __get__(self, block: Slot, owner: type) -> _Named:
        return self._names(block.words[self._index])

    def __set__(self, block: Slot, value: _Named) -> None:
        block.words[self._index] = value


class Tasks:
    """A worker's tasks of one kind on one task queue. The worker writes all but `permits`, which the supervisor sets.

    A permit is held from the moment when a poll begins to wait for a task until that task has ended.

    Attributes:
        held: permits in use, those of polls that wait for a task included.
        used: permits in use by tasks in hand.
        busy: the sum over all tasks of how long they have been in hand (ns); wraps at 2**64.
        finished: how many tasks have ended.
        failed: how many activities have failed.
    """

    held = _Word(1)
    used = _Word(2)
    busy = _Word(3)
    finished = _Word(4)
    failed = _Word(5)
    _limit = _Word(0)

    def __init__(self, words: memoryview) -> None:
        self.words = words

    @property
    def permits(self) -> int | None:
        """How many permits the worker may hold; None: as many as the options of the entry say."""
        limit = self._limit
        return limit - 1 if limit else None

    @permits.setter
    def permits(self, count: int | None) -> None:
        self._limit = 0 if count is None else count + 1


class Slot:
    """The block of one slot. The worker in it writes all but `generation` and the permits, which the supervisor sets.

    Attributes:
        beat: when the worker's event loop last turned (monotonic ns).
        progress: when it last finished an activation or an activity (monotonic ns).
        in_flight: activations and activities that it has in hand.
        state: what the process does.
        pid: of the process; 0 without one.
        generation: which load of the application it serves; the first is 1.
        lua_bytes: bytes in the Lua states of its cached workflow runs.
        cached_runs: how many workflow runs it has cached.
        routing: what the server sends to its version.
        lane: how it runs workflows and activities.
    """

    beat = _Word(0)
    progress = _Word(1)
    in_flight = _Word(2)
    state = _Choice(3, State)
    pid = _Word(4)
    generation = _Word(5)
    _since = _Word(6)
    lua_bytes = _Word(12)
    cached_runs = _Word(13)
    routing = _Choice(14, Routing)
    lane = _Choice(15, Lane)

    def __init__(self, words: memoryview) -> None:
        self.words = words

    @property
    def activating(self) -> Activating | None:
        """The oldest activation in hand, None without one."""
        while True:
            since = self._since
            run_id = _run_id(self.words[7:12])
            # The worker clears the time before it writes another id.
            if since == self._since:
                return Activating(run_id, since) if since else None

    @activating.setter
    def activating(self, value: Activating | None) -> None:
        self._since = 0
        if value is not None:
            _set_run_id(self.words[7:12], value.run_id)
            self._since = value.since

    def tasks(self, queue: int, kind: Kind) -> Tasks:
        """The words for tasks of `kind` on queue number `queue`."""
        if not 0 <= queue < MAX_QUEUES:
            raise IndexError(f"queue number {queue}: a block has words for {MAX_QUEUES}")
        first = _FIRST_QUEUE_WORD + (queue * len(Kind) + kind) * _TASKS_WORDS
        return Tasks(self.words[first : first + _TASKS_WORDS])

    def clear(self) -> None:
        """All words zero: a new process begins, or none is there any more. The permits stay, they are the slot's."""
        for index in range(_FIRST_QUEUE_WORD):
            self.words[index] = 0
        for index in range(_FIRST_QUEUE_WORD, _BLOCK_WORDS):
            if (index - _FIRST_QUEUE_WORD) % _TASKS_WORDS:
                self.words[index] = 0


class Quarantine:
    """Runs in whose tasks workers went down, with how often. The supervisor writes; workers read, and absolve."""

    def __init__(self, words: memoryview, version: memoryview) -> None:
        self._rows = [words[at : at + _ENTRY_WORDS] for at in range(0, len(words), _ENTRY_WORDS)]
        self._version = version

    @property
    def version(self) -> int:
        """Another number after each change by the supervisor: who keeps a copy need not read the table before."""
        return self._version[0]

    def counts(self) -> dict[str, int]:
        """How many workers went down in each run, by run id, the latest last. Below `QUARANTINED_FROM`: a suspect."""
        rows: list[tuple[int, str, int]] = []
        # Not for ever: a supervisor that was killed while it wrote never ends its writing.
        for _ in range(_READS):
            version = self._version[0]
            rows = [(row[_SERIAL], _run_id(row), row[_COUNT]) for row in self._rows]
            # An odd number: the supervisor is writing.
            if version % 2 == 0 and version == self._version[0]:
                break
        return {run_id: count for _, run_id, count in sorted(rows) if count}

    def add(self, run_id: str, more: int = 1) -> int:
        """Count `more` workers that went down in the run; returns how many there are.

        When the table is full the oldest suspect is forgotten, and a run in quarantine only if there is no suspect.
        """
        row = self._find(run_id)
        count = more if row is None else row[_COUNT] + more
        if row is None:
            row = min(self._rows, key=lambda row: (row[_COUNT] and 1 + (row[_COUNT] >= QUARANTINED_FROM), row[_SERIAL]))
        serial = 1 + max(row[_SERIAL] for row in self._rows)
        self._version[0] += 1
        _set_run_id(row, run_id)
        row[_SERIAL], row[_COUNT] = serial, count
        self._version[0] += 1
        return count

    def release(self, run_id: str) -> bool:
        """Forget the run; False when it is not known."""
        row = self._find(run_id)
        if row is None:
            return False
        self._version[0] += 1
        row[_COUNT] = 0
        self._version[0] += 1
        return True

    def absolve(self, run_id: str) -> None:
        """A worker has brought a task of a suspect to its end: it was chance that another one went down in it."""
        row = self._find(run_id)
        if row is not None and row[_COUNT] < QUARANTINED_FROM:
            row[_COUNT] = 0

    def _find(self, run_id: str) -> memoryview | None:
        return next((row for row in self._rows if row[_COUNT] and _run_id(row) == run_id), None)


class Page:
    """The shared memory of a fleet.

    Attributes:
        slots: a block for each slot that there can be.
        quarantine: runs that are not to be run.
    """

    def __init__(self, slots: int) -> None:
        """`slots`: the most workers that there will ever be."""
        table = _HEADER_WORDS + QUARANTINE_SIZE * _ENTRY_WORDS
        assert table * _WORD % _LINE == 0 and _BLOCK_WORDS * _WORD % _LINE == 0
        words = memoryview(mmap.mmap(-1, (table + slots * _BLOCK_WORDS) * _WORD)).cast("Q")
        blocks = [words[at : at + _BLOCK_WORDS] for at in range(table, len(words), _BLOCK_WORDS)]
        self.slots = [Slot(block) for block in blocks]
        self.quarantine = Quarantine(words[_HEADER_WORDS:table], words[:1])


def _run_id(words: memoryview) -> str:
    return words.tobytes()[:_RUN_ID_BYTES].rstrip(b"\0").decode("ascii", "replace")


def _set_run_id(words: memoryview, run_id: str) -> None:
    text = run_id.encode("ascii", "replace")[:_RUN_ID_BYTES]
    words[:_RUN_ID_WORDS].cast("B")[:] = text.ljust(_RUN_ID_WORDS * _WORD, b"\0")
