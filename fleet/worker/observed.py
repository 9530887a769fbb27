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
        error: BaseException | None = None
        try:
            return await self.next.execute_activity(input)
        except BaseException as raised:
            error = raised
            raise
        finally:
            for observer in self._observers:
                observer.activity_ended(error, is_local)
            # The error's traceback has this frame.
            error = None
