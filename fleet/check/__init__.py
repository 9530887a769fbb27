"""Static checks of an application's Lua: the engine of `fleet check`."""

from fleet.check.checker import check_app
from fleet.check.lexer import LuaSyntaxError
from fleet.check.parser import parse

__all__ = ["LuaSyntaxError", "check_app", "parse"]
