"""Workflow runs: activation in, completion out. The engine itself is lua_modules/engine_workflow.lua on fleet._core."""

from __future__ import annotations

from .residents import Evict, Residents
from .run import LuaRun
from .runner import LuaWorkflow, LuaWorkflowInstance, LuaWorkflowRunner, workflow_class
from .scripts import Limits, Origin, WorkflowScripts

__all__ = [
    "Evict",
    "Limits",
    "LuaRun",
    "LuaWorkflow",
    "LuaWorkflowInstance",
    "LuaWorkflowRunner",
    "Origin",
    "Residents",
    "WorkflowScripts",
    "workflow_class",
]
