"""Workflow runs: activation in, completion out. The engine itself is lua_modules/engine_workflow.lua on fleet._core."""

from __future__ import annotations

from .runner import LuaWorkflow, LuaWorkflowInstance, LuaWorkflowRunner, workflow_class
from .scripts import Limits, Origin, WorkflowScripts

__all__ = [
    "Limits",
    "LuaWorkflow",
    "LuaWorkflowInstance",
    "LuaWorkflowRunner",
    "Origin",
    "WorkflowScripts",
    "workflow_class",
]
