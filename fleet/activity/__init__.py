"""Lua functions as Temporal activities and as plain calls on asyncio.

``Functions`` runs them; ``activity_definitions`` (for a fleet worker) or ``named_activity_definitions`` (beside the
activities of somebody else's worker) and ``ContextInterceptor`` make them Temporal activities.
"""

from __future__ import annotations

from .activities import ContextInterceptor, activity_definitions, named_activity_definitions
from .call import Functions
from .context import CONTEXT_HEADER, ActivityContext
from .failure import FunctionFailed, LuaApplicationError
from .finished import Outcome
from .tasks import ActivityTasks, Running, Task

__all__ = [
    "CONTEXT_HEADER",
    "ActivityContext",
    "ActivityTasks",
    "ContextInterceptor",
    "FunctionFailed",
    "Functions",
    "LuaApplicationError",
    "Outcome",
    "Running",
    "Task",
    "activity_definitions",
    "named_activity_definitions",
]
