"""How a failure looks to a person at the terminal: kind, message and the Lua stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fleet._core import LuaError


@dataclass(frozen=True)
class RunFailure:
    """Why something failed.

    Attributes:
        kind: error kind such as ``INTERNAL``.
        message: what was said.
        retryable: True, False, or None when nobody said.
        details: what the error carries, or None.
        stack: the Lua stack, or "".
    """

    kind: str
    message: str
    retryable: bool | None = None
    details: Any = None
    stack: str = ""

    def as_json(self) -> dict[str, Any]:
        """For scripts: only what is there."""
        facts = {"kind": self.kind, "message": self.message, "retryable": self.retryable, "details": self.details}
        if self.stack:
            facts["stack"] = self.stack
        return {name: value for name, value in facts.items() if value is not None}

    def render(self) -> str:
        """``KIND: message`` with the Lua stack below it."""
        return f"{self.kind}: {self.message}{indented(self.stack)}"


def indented(stack: str) -> str:
    """A Lua stack as lines below a message; empty for an empty one."""
    lines = [line for line in stack.splitlines() if line.strip()]
    return "".join(f"\n    {'  ' if line.startswith(chr(9)) else ''}{line.strip()}" for line in lines)


def lua_failure(error: LuaError) -> RunFailure:
    """What the error of a Lua function says."""

    def text(value: str | bytes | None) -> str:
        return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value or ""

    kind = text(error.kind) or "UNKNOWN"
    return RunFailure(kind, text(error.message), error.retryable, error.details, text(error.stack))
