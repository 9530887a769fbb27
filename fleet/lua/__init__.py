"""Lua as the rest of the fleet sees it: the compiled standard modules, programs of entries, states ready to run.

Importing this package gives the native core its Lua modules; everything that makes a Lua state imports it.
"""

from __future__ import annotations

from .modules import install_modules
from .pool import StatePool
from .programs import Programs, ScriptProblem

install_modules()

__all__ = ["Programs", "ScriptProblem", "StatePool"]
