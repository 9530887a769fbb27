"""All entries of an application while it is being checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from .documents import Draft
from .kinds.entry import Entry
from .problems import Report
from .schema import Reference

E = TypeVar("E", bound=Entry)


@dataclass(slots=True)
class Catalog:
    """What the checks look at.

    Attributes:
        report: takes the findings.
        kinds: kind by id of everything that is declared, also of entries that were rejected; "" for unknown kinds.
        drafts: the maps that the entries were read from, for the lines of findings.
        entries: the entries that are right in themselves.
        references: every mention of an entry by another.
    """

    report: Report
    kinds: Mapping[str, str]
    drafts: dict[str, Draft] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)

    def of(self, cls: type[E]) -> list[E]:
        """The entries of a class, in order."""
        return [entry for entry in self.entries.values() if isinstance(entry, cls)]

    def get(self, cls: type[E], id: str | None) -> E | None:
        """The entry with this id if it is there and of the class."""
        entry = self.entries.get(id) if id is not None else None
        return entry if isinstance(entry, cls) else None

    def error(
        self, entry: Entry, field: str, message: str, *, show: bool = True, expected: str = "", hint: str = ""
    ) -> None:
        """Reports an error about a field of an entry, with the field's line and (``show``) its value."""
        body = self.drafts[entry.id].body
        node = body.get(field)
        self.report.error(
            message,
            file=entry.file,
            line=body.line_of(field),
            entry=entry.id,
            field=field,
            value=node.shown() if show and node is not None else "",
            expected=expected,
            hint=hint,
        )


def place(entry: Entry) -> str:
    """An entry in the text of a message: id and place."""
    return f"{entry.id} ({entry.file}:{entry.line})"
