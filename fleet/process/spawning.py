"""What a process is started with, and what is said of one that is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.modules import RequestFailed

from .mailbox import Message
from .pid import Pid


@dataclass(frozen=True)
class Spawn:
    """How a process is started.

    Attributes:
        entry_id: a process.lua entry.
        host: id of a process.host.
        arguments: its arguments, encoded.
        context: the payload of its ctx, or None.
        name: registered for it, "" for none.
        messages: delivered before all others.
    """

    entry_id: str
    host: str
    arguments: Sequence[bytes] = ()
    context: bytes | None = None
    name: str = ""
    messages: Sequence[Message] = ()


class ProcessGone(RequestFailed):
    """The process with this PID has ended or never was."""

    def __init__(self, pid: str) -> None:
        super().__init__("NOT_FOUND", f"process not found: {pid} has ended or never existed")
        self.pid = pid


class ProcessElsewhere(RequestFailed):
    """Processes reach those of their own node, and workflows."""

    def __init__(self, pid: Pid) -> None:
        text = f"process not found: {pid} lives in another serving process, or lived in an earlier one"
        super().__init__("NOT_FOUND", f"{text}; only workflows can be reached from everywhere")
