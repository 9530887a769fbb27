"""Lua functions as Temporal activities and as plain calls on asyncio.

``Functions`` runs them; ``activity_definitions`` (for a fleet worker) or ``named_activity_definitions`` (beside the
activities of somebody else's worker) and ``ContextInterceptor`` make them Temporal activities.
"""

from __future__ import annotations

from .activities import CONTEXT_HEADER, ContextInterceptor, activity_definitions, named_activity_definitions
from .call import Functions
from .context import ActivityContext
from .failure import FunctionFailed, LuaApplicationError

__all__ = [
    "CONTEXT_HEADER",
    "ActivityContext",
    "ContextInterceptor",
    "FunctionFailed",
    "Functions",
    "LuaApplicationError",
    "activity_definitions",
    "named_activity_definitions",
]
