"""Tells others of the activities of a worker, on either lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from temporalio import activity
from temporalio.bridge.proto.activity_task import Start
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from fleet.activity import Outcome, Running, Task


class Observer(Protocol):
    """Is told of activities."""

    def activity_begins(self) -> None:
        """One begins."""

    def activity_ended(self, error: BaseException | None, is_local: bool) -> None:
        """One has ended, with an error or without."""


class ObservingInterceptor(Interceptor):
    """On the SDK's public interface."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See base class."""
        return _ActivityInbound(next, self._observers)


class _ActivityInbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, observers: Sequence[Observer]) -> None:
        super().__init__(next)
        self._observers = observers

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        is_local = activity.info().is_local
        _begins(self._observers)
        try:
            result = await self.next.execute_activity(input)
        except BaseException as error:
            _ended(self._observers, error, is_local)
            raise
        _ended(self._observers, None, is_local)
        return result


def observed(make: Callable[[Start, Task], Running], observers: Sequence[Observer]) -> Callable[[Start, Task], Running]:
    """On the fast lane: ``make``, what runs its tasks observed."""

    def make_observed(start: Start, task: Task) -> Running:
        try:
            return _Observed(make(start, task), observers, start.is_local)
        except Exception as error:
            _begins(observers)
            _ended(observers, error, start.is_local)
            raise

    return make_observed


class _Observed:
    def __init__(self, running: Running, observers: Sequence[Observer], is_local: bool) -> None:
        self._running = running
        self._observers = observers
        self._is_local = is_local

    def begin(self, over: Callable[[Outcome], None]) -> None:
        def ended(outcome: Outcome) -> None:
            _ended(self._observers, None if isinstance(outcome, bytes) else outcome, self._is_local)
            over(outcome)

        _begins(self._observers)
        self._running.begin(ended)

    def cancel(self) -> None:
        self._running.cancel()


def _begins(observers: Sequence[Observer]) -> None:
    for observer in observers:
        observer.activity_begins()


def _ended(observers: Sequence[Observer], error: BaseException | None, is_local: bool) -> None:
    for observer in observers:
        observer.activity_ended(error, is_local)
