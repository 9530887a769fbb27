"""Whether a worker is alive, judged by its block of the shared page."""

from __future__ import annotations

from dataclasses import dataclass

from .page import Slot, State

_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Verdict:
    """Why a worker has to go.

    Attributes:
        event: ``hung`` (its loop does not turn) or ``stuck`` (it turns, but an activation does not end).
        text: what was seen.
        run_id: the run whose activation it was in, "" without one.
    """

    event: str
    text: str
    run_id: str


def judge(block: Slot, now: int, awake_since: int, hung_after: float, stuck_after: float) -> Verdict | None:
    """None while all is well.

    now, awake_since: monotonic ns; what was before the second is the supervisor's own silence (it was stopped, or the
    machine was), and not held against the worker. hung_after, stuck_after: seconds.
    """
    activating = block.activating
    run_id = activating.run_id if activating is not None else ""
    silent = (now - max(block.beat, awake_since)) / _SECOND
    if silent > hung_after:
        inside = f", in an activation of run {run_id}" if run_id else ""
        return Verdict("hung", f"no beat for {silent:.1f} s{inside}", run_id)
    if activating is not None and block.state is not State.EMPTY:
        busy = (now - max(activating.since, awake_since)) / _SECOND
        if busy > stuck_after:
            return Verdict("stuck", f"an activation of run {run_id} has not ended for {busy:.1f} s", run_id)
    return None
