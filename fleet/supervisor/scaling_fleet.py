"""The control loop on a fleet: reads what the workers wrote into the page, and writes their permits there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet.registry import App

from .journal import Journal
from .page import MAX_QUEUES, Kind, Page, State, Tasks
from .scaling import Bounds, Decision, Reading, Scaling, Tuning
from .scaling_queues import LEAST, ScaledQueue, limits_of, scaled_queues
from .scaling_shares import spread
from .scaling_stats import QueueStats, TaskQueue
from .settings import Settings

_ALARM_AFTER = 10.0
_NS = 1e9


@dataclass(frozen=True)
class QueueView:
    """A queue as metrics and status show it; permits are those of the whole fleet.

    Attributes:
        queue: entry and kind.
        task_queue: its name on the server.
        permits: that it has.
        held: in the hands of polls and tasks.
        used: in the hands of tasks.
        wanting: whether it needs more than it may have.
        unpolled: whether permits are free, and for some time no worker has asked for tasks: an alarm.
        stats: what the server says, None when it has not lately.
    """

    queue: TaskQueue
    task_queue: str
    permits: int
    held: int
    used: int
    wanting: bool
    unpolled: bool
    stats: QueueStats | None


@dataclass
class _Seen:
    """The sums of a worker's words at the last look."""

    busy: int = 0
    finished: int = 0
    failed: int = 0


class FleetScaling:
    """Permits of a fleet.

    Attributes:
        queues: what is scaled, of the newest generation.
    """

    def __init__(self, page: Page, journal: Journal) -> None:
        self.queues: list[ScaledQueue] = []
        self._page = page
        self._journal = journal
        self._tuning = Tuning()
        self._loop = Scaling(self._tuning, self._decided)
        self._limits: dict[TaskQueue, Bounds] = {}
        self._budgets: dict[Kind, int | None] = {}
        self._numbers: dict[int, dict[TaskQueue, int]] = {}
        self._seen: dict[tuple[int, TaskQueue], _Seen] = {}
        self._quiet_since: dict[TaskQueue, float] = {}
        self._unpolled: set[TaskQueue] = set()
        self._stats: Mapping[TaskQueue, QueueStats] = {}
        self._last = 0.0
        self._slots: list[int] = []

    def adopt(self, app: App, generation: int, settings: Settings) -> None:
        """Scale the queues of `app`, which new processes serve as `generation`. Raises SettingsError."""
        queues = scaled_queues(app)
        self._limits = limits_of(settings.scaling_limits, queues)
        self._budgets = {
            Kind.WORKFLOW: settings.scaling_workflow_budget,
            Kind.ACTIVITY: settings.scaling_activity_budget,
        }
        tuning = Tuning(settings.scaling_target_age, settings.scaling_down_after, settings.scaling_retry_after)
        if tuning != self._tuning:
            self._tuning = tuning
            self._loop = Scaling(tuning, self._decided)
        self.queues = queues
        self._numbers[generation] = {queue.key: queue.number for queue in queues}

    def leave(self) -> None:
        """Scale no more: the sizes of the entries hold."""
        for slot in self._page.slots:
            for number in range(MAX_QUEUES):
                for kind in Kind:
                    slot.tasks(number, kind).permits = None
        self.queues = []

    def tick(self, now: float, slots: Iterable[int], stats: Mapping[TaskQueue, QueueStats]) -> None:
        """Decide anew, and tell the workers. About once a second, and before the first worker begins.

        now: monotonic seconds. slots: numbers of the slots that serve or will, not of those that end. stats: what the
        server said lately.
        """
        self._slots, self._stats = sorted(slots), stats
        seconds, self._last = (now - self._last if self._last else 0.0), now
        readings = {queue.key: self._read(queue, seconds) for queue in self.queues}
        bounds = {queue.key: queue.bounds(len(self._slots), self._limits.get(queue.key)) for queue in self.queues}
        budgets = {
            kind: sum(bounds[key].maximum for key in bounds if key.kind is kind) if budget is None else budget
            for kind, budget in self._budgets.items()
        }
        self._loop.tick(now, budgets, bounds, readings)
        for queue in self.queues:
            self._spread(queue)
            self._listen(now, queue)

    def exhausted(self) -> bool:
        """Whether a queue needs more permits than the workers that there are may have by the options of its entry."""
        return any(
            self._loop.wanting(queue.key) and self._loop.granted(queue.key) >= queue.most * len(self._slots)
            for queue in self.queues
        )

    def view(self) -> list[QueueView]:
        """All queues as they are."""
        return [self._view(queue) for queue in self.queues]

    def _decided(self, decision: Decision) -> None:
        queue = decision.queue
        self._journal.note(
            "permits",
            str(decision),
            entry=queue.worker,
            kind=queue.kind.name.lower(),
            before=decision.before,
            after=decision.after,
            reason=decision.reason,
        )

    def _view(self, queue: ScaledQueue) -> QueueView:
        words = self._words(queue, range(len(self._page.slots)))
        return QueueView(
            queue=queue.key,
            task_queue=queue.task_queue,
            permits=self._loop.granted(queue.key),
            held=sum(tasks.held for tasks in words.values()),
            used=sum(tasks.used for tasks in words.values()),
            wanting=self._loop.wanting(queue.key),
            unpolled=queue.key in self._unpolled,
            stats=self._stats.get(queue.key),
        )

    def _words(self, queue: ScaledQueue, slots: Iterable[int]) -> dict[int, Tasks]:
        """The queue's words in each of the slots, by number: a process of an older generation counts in its own way."""
        words = {}
        newest = max(self._numbers)
        for slot in slots:
            block = self._page.slots[slot]
            number = self._numbers.get(block.generation or newest, {}).get(queue.key)
            if number is not None:
                words[slot] = block.tasks(number, queue.key.kind)
        return words

    def _read(self, queue: ScaledQueue, seconds: float) -> Reading:
        busy = finished = failed = committed = 0
        for slot, tasks in self._words(queue, range(len(self._page.slots))).items():
            seen, now = self._seen.get((slot, queue.key), _Seen()), _Seen(tasks.busy, tasks.finished, tasks.failed)
            if now.busy < seen.busy or now.finished < seen.finished:
                # Another process: it began to count from zero.
                seen = _Seen()
            busy += now.busy - seen.busy
            finished += now.finished - seen.finished
            failed += max(0, now.failed - seen.failed)
            committed += max(tasks.permits or 0, tasks.held)
            self._seen[slot, queue.key] = now
        mean = busy / _NS / seconds if seconds else 0.0
        return Reading(mean, finished, failed, seconds, committed, self._stats.get(queue.key))

    def _spread(self, queue: ScaledQueue) -> None:
        words = self._words(queue, range(len(self._page.slots)))
        for slot, tasks in words.items():
            if slot not in self._slots and tasks.permits:
                tasks.permits = 0
        live = [words[slot] for slot in self._slots if slot in words]
        elsewhere = sum(tasks.held for slot, tasks in words.items() if slot not in self._slots)
        floor = LEAST[queue.key.kind] * len(live)
        committed = [max(tasks.permits or 0, tasks.held) for tasks in live]
        # A worker that ends keeps what it has in hand; the others can serve all the same, whatever the budget.
        granted = max(self._loop.granted(queue.key) - elsewhere, min(self._loop.granted(queue.key), floor))
        for tasks, permits in zip(live, spread(granted, [queue.most] * len(live), committed), strict=True):
            if tasks.permits != permits:
                tasks.permits = permits

    def _listen(self, now: float, queue: ScaledQueue) -> None:
        """Raise the alarm when permits are free and nobody polls: tasks would wait for ever, and no slot be busy."""
        ready = [slot for slot in self._slots if self._page.slots[slot].state is State.READY]
        words = self._words(queue, ready).values()
        free = sum((tasks.permits or 0) - tasks.used for tasks in words)
        polls = sum(tasks.held - tasks.used for tasks in words)
        if polls > 0 or free <= 0:
            self._quiet_since.pop(queue.key, None)
            if queue.key in self._unpolled:
                self._unpolled.remove(queue.key)
                self._journal.note("polled", f"{queue.key}: polled again", entry=queue.key.worker)
        elif now - self._quiet_since.setdefault(queue.key, now) >= _ALARM_AFTER and queue.key not in self._unpolled:
            self._unpolled.add(queue.key)
            text = (
                f"{queue.key}: no worker has polled task queue {queue.task_queue} for {_ALARM_AFTER:g} s, though {free}"
                " permits are free; if it stays so, look for errors of the workers about their connection"
            )
            self._journal.error("unpolled", text, entry=queue.key.worker, kind=queue.key.kind.name.lower())
