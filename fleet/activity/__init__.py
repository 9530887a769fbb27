"""Lua functions as Temporal activities and as plain calls on asyncio.

``Functions`` runs them; ``activity_definitions`` and ``ContextInterceptor`` make them Temporal activities.
"""

from __future__ import annotations

from .call import Functions
from .context import ActivityContext
from .failure import FunctionCanceled, FunctionFailed, LuaApplicationError

__all__ = ["ActivityContext", "FunctionCanceled", "FunctionFailed", "Functions", "LuaApplicationError"]
