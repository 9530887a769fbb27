"""The workflow runs that a process has cached, with the bytes of their Lua states, and which of them must go."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger("fleet.workflow")

Evict = Callable[[str], None]
"""Asks the SDK to drop the run of this id from its cache. It answers later, with a remove_from_cache job."""

Rest = Callable[[], int]
"""Makes the Lua state of a run small that has nothing to do for a while, and returns its bytes from then on."""

LOW_WATER = 0.9
"""Share of the budget down to which runs are dropped: without the gap each activation of a full cache drops one."""

IDLE = 2.0
"""Seconds without an activation after which a run is put to rest. What it then lacks costs its next activation some 10
microseconds."""

_RESTS = 4
"""Runs put to rest at once: more than fall idle for each activation, and too few to delay one."""

_NOTICE_INTERVAL = 60.0
"""Seconds between two log lines that say that the budget makes runs go."""


@dataclass(slots=True, eq=False)
class Resident:
    """One cached run.

    Attributes:
        run_id: of the run.
        evict: how to drop it; None where the SDK offers no way.
        bytes: that its Lua state holds, as of its last activation.
        busy: it is being activated, or local activities are under way: the SDK would lose what they record.
        leaving: it was asked to go, or is over.
        rest: makes its Lua state small.
        used: when its last activation ended, on the monotonic clock.
    """

    run_id: str
    evict: Evict | None
    bytes: int = 0
    busy: bool = False
    leaving: bool = False
    rest: Rest | None = None
    used: float = 0.0


class Residents:
    """The cached runs of one process, least recently used first. Activations call it from several threads.

    Attributes:
        budget: bytes that the Lua states of cached runs may hold together; 0 is no limit.
        evictions: how many runs left the cache, by reason: ``bytes`` (this budget), ``count`` (max_cached_workflows),
            ``ended`` (the run is over), else the SDK's own reason in lower case, such as ``lang_fail``.
    """

    def __init__(self, budget: int) -> None:
        """`budget`: bytes, 0 for none."""
        self.budget = budget
        self.evictions: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._bytes = 0
        self._leaving_bytes = 0
        self._count = 0
        # In order of last use; those that are leaving are out of it.
        self._by_use: dict[Resident, None] = {}
        # Those of them that were not put to rest since.
        self._awake: dict[Resident, None] = {}
        self._noticed = -_NOTICE_INTERVAL
        self._unnoticed = 0

    @property
    def bytes(self) -> int:
        """Bytes of all cached runs, those included that are leaving and have not gone."""
        return self._bytes

    def __len__(self) -> int:
        return self._count

    def admit(self, run_id: str, evict: Evict | None, rest: Rest | None = None) -> Resident:
        """A run comes into the cache. It is never dropped before its first activation has ended."""
        resident = Resident(run_id, evict, busy=True, rest=rest)
        with self._lock:
            self._count += 1
            self._by_use[resident] = None
        return resident

    def begin(self, resident: Resident) -> None:
        """An activation of the run begins."""
        with self._lock:
            resident.busy = True
            self._awake.pop(resident, None)

    def end(self, resident: Resident, size: int, *, local_activities: bool, stopped: bool) -> None:
        """An activation has ended, and the run is the last used one; others go if the budget is passed.

        size: bytes of its Lua state. local_activities: whether some are under way. stopped: the workflow is over, and
        the SDK lets it go by itself.
        """
        with self._lock:
            grown = size - resident.bytes
            resident.bytes = size
            resident.busy = local_activities
            self._bytes += grown
            if resident.leaving:
                self._leaving_bytes += grown
            else:
                del self._by_use[resident]
                if stopped:
                    resident.leaving = True
                    self._leaving_bytes += size
                else:
                    self._by_use[resident] = None
            over = self.budget and self._bytes - self._leaving_bytes > self.budget
            chosen = self._choose(resident) if over else []
            self._put_to_rest(resident)
        for other in chosen:
            assert other.evict is not None
            other.evict(other.run_id)
        if chosen:
            self._notice(len(chosen))

    def remove(self, resident: Resident, reason: str) -> str:
        """The run has left the cache; `reason` is the SDK's, in lower case. Returns the reason that counts."""
        with self._lock:
            self._count -= 1
            self._bytes -= resident.bytes
            if resident.leaving:
                self._leaving_bytes -= resident.bytes
                if reason == "lang_requested":
                    reason = "bytes"
            self._by_use.pop(resident, None)
            self._awake.pop(resident, None)
            reason = _REASONS.get(reason, reason)
            self.evictions[reason] += 1
            return reason

    def _put_to_rest(self, last: Resident) -> None:
        """Make those small that have been idle. `last` has just been used.

        Done by the activations of others, so that no timer is needed: where none comes, memory does not grow either."""
        now = time.monotonic()
        if not last.leaving and last.rest is not None:
            last.used = now
            self._awake[last] = None
        idle: list[Resident] = []
        for resident in self._awake:
            if resident.used > now - IDLE or len(idle) == _RESTS:
                break
            idle.append(resident)
        for resident in idle:
            del self._awake[resident]
            assert resident.rest is not None
            grown = resident.rest() - resident.bytes
            resident.bytes += grown
            self._bytes += grown
            if resident.leaving:
                self._leaving_bytes += grown

    def _choose(self, last: Resident) -> list[Resident]:
        """Runs to drop, and mark them. Not the last used one: it alone may pass the budget, or each of its tasks would
        replay it from its start."""
        chosen: list[Resident] = []
        kept = self._bytes - self._leaving_bytes
        for resident in self._by_use:
            if kept <= self.budget * LOW_WATER:
                break
            if not resident.busy and resident is not last and resident.evict is not None:
                chosen.append(resident)
                kept -= resident.bytes
        for resident in chosen:
            resident.leaving = True
            self._leaving_bytes += resident.bytes
            del self._by_use[resident]
        return chosen

    def _notice(self, count: int) -> None:
        """Say it, but not for each run: a cache that is too small drops runs all the time."""
        now = time.monotonic()
        with self._lock:
            self._unnoticed += count
            if now - self._noticed < _NOTICE_INTERVAL:
                return
            self._noticed, count, self._unnoticed = now, self._unnoticed, 0
        logger.warning(
            "The workflow cache holds %.1f MiB of Lua states and may hold %.1f MiB: %d runs go, and are replayed when"
            " they go on. More memory per worker, or more workers, avoids the replays.",
            self._bytes / (1 << 20),
            self.budget / (1 << 20),
            count,
        )


_REASONS = {"cache_full": "count", "workflow_execution_ending": "ended"}
