"""A run's progress: a live line on a terminal, a few lines when something is wrong."""

from __future__ import annotations

from types import TracebackType

from rich.status import Status

from fleet.worker.follow import Progress

from .output import on_terminal, say_warning, stderr


class RunView:
    """Shows what a run does, for the length of a ``with`` block."""

    def __init__(self, entry: str, workflow_id: str) -> None:
        self._entry = entry
        self._workflow_id = workflow_id
        self._status = Status("starting", console=stderr()) if on_terminal() else None
        self._task_failure = ""
        self._unpolled = False

    def __enter__(self) -> RunView:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, progress: Progress) -> None:
        """Show where the run is; each trouble is told once."""
        failing = progress.task_failure
        text = failing.render() if failing is not None else ""
        if text and text != self._task_failure:
            say_warning(
                f"the workflow task of {self._workflow_id} fails; it is retried until the code is repaired: {text}"
            )
        self._task_failure = text
        if progress.unpolled_queue and not self._unpolled:
            self._unpolled = True
            say_warning(
                f"no worker polls the task queue {progress.unpolled_queue}: {self._workflow_id} waits for one\n"
                "    `fleet dev APP` serves an application; the run goes on when a worker comes"
            )
        if self._status is not None:
            self._status.update(_line(progress))


def _line(progress: Progress) -> str:
    seconds = int(progress.seconds)
    elapsed = f"{seconds // 60}m{seconds % 60:02d}s" if seconds >= 60 else f"{seconds}s"
    parts = [progress.status.lower(), elapsed, f"{progress.events} events"]
    for activity in progress.pending[:3]:
        state = "runs" if activity.running else "waits"
        attempt = f", attempt {activity.attempt}" if activity.attempt > 1 else ""
        reason = f": {activity.last_failure[:60]}" if activity.last_failure else ""
        parts.append(f"{activity.type} {state}{attempt}{reason}")
    if len(progress.pending) > 3:
        parts.append(f"and {len(progress.pending) - 3} more activities")
    if progress.task_failure is not None:
        parts.append(f"workflow task failed {progress.task_failure.attempts} times")
    return "  ".join(parts)
