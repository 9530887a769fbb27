"""Durable Lua workflows on Temporal, served by a fleet of worker processes with a native core.

``load_app(path)`` reads an application; ``LuaPlugin(app)`` serves it from a temporalio Worker or Replayer. Everything
else is behind the ``fleet`` command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleet.registry import App, AppError, load_app
    from fleet.worker.plugin import LuaPlugin

__version__ = "0.1.0"
__all__ = ["App", "AppError", "LuaPlugin", "load_app"]


def __getattr__(name: str) -> Any:
    # temporalio takes half a second to import, and the registry a tenth: each is for who needs it.
    if name == "LuaPlugin":
        from fleet.worker.plugin import LuaPlugin

        return LuaPlugin
    if name in __all__:
        import fleet.registry

        return getattr(fleet.registry, name)
    raise AttributeError(f"module 'fleet' has no attribute {name!r}")
