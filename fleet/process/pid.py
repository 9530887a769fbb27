"""PIDs: ``{node@host|id}`` as text and in parts; the Python side of lua_modules/pid.lua."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_PID = re.compile(r"\{(?:([^@|}]*)@)?+([^|}]+)\|(?:[^}]*\|)?([^|}]+)\}", re.DOTALL)
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Pid:
    """The parts of a PID.

    Attributes:
        node: a temporal.client's id, with ``/namespace`` if it is another than the client's, for a workflow; the id of
            a serving process for what runs there; "" for none.
        host: a temporal.worker or raw task queue; a process.host, or the entry of a call.
        id: the workflow id, or the number of a process.
    """

    node: str
    host: str
    id: str

    @property
    def is_workflow(self) -> bool:
        """Whether it names a workflow: ids of clients have a colon, those of nodes have none."""
        return ":" in self.node

    def __str__(self) -> str:
        node = f"{self.node}@" if self.node else ""
        return f"{{{node}{_escape(self.host)}|{_escape(self.id)}}}"


@lru_cache(1024)
def parse(text: str) -> Pid | None:
    """The parts of a PID; None when the text is none."""
    match = _PID.fullmatch(text)
    if match is None:
        return None
    host, id = _unescape(match[2]), _unescape(match[3])
    return None if host is None or id is None else Pid(match[1] or "", host, id)


def _escape(part: str) -> str:
    return re.sub(r"[%|}]", lambda found: f"%{ord(found[0]):02X}", part)


def _unescape(part: str) -> str | None:
    if "%" in _ESCAPED.sub("", part):
        return None
    raw = re.sub(
        rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), part.encode("utf-8", "surrogateescape")
    )
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
