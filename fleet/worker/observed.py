"""Tells others of the activities of a worker on the SDK's public interface, as the fast lane does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from fleet.lane import Observer


class ObservingInterceptor(Interceptor):
    """Tells these of each activity."""

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
        for observer in self._observers:
            observer.activity_begins()
        try:
            result = await self.next.execute_activity(input)
        except BaseException as error:
            self._ended(error, is_local)
            raise
        self._ended(None, is_local)
        return result

    def _ended(self, error: BaseException | None, is_local: bool) -> None:
        for observer in self._observers:
            observer.activity_ended(error, is_local)
