"""The environment kinds: env.storage.* and env.variable (spec/registry.md, section 7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..schema import Flaw, record, setting
from ..types import Bool, EntryId, FileMode, ListOf, MapOf, PathText, Text
from .entry import Entry

STORAGE_KINDS = ("env.storage.memory", "env.storage.file", "env.storage.os", "env.storage.static", "env.storage.router")

_STORAGE = EntryId(STORAGE_KINDS, relative=False)
_PUBLIC_NAME = re.compile(r"[A-Za-z0-9_]*")


@record
class StorageEntry(Entry):
    """A place that holds the values of variables."""


@record
class MemoryStorageEntry(StorageEntry):
    """Values that live as long as the process."""


@record
class FileStorageEntry(StorageEntry):
    """Values in a dotenv file; created on the first write when ``auto_create`` is set."""

    file_path: Path = setting(PathText(), required="file_path is required")
    auto_create: bool = setting(Bool(), default=False)
    file_mode: int = setting(FileMode(), default=0o644)
    dir_mode: int = setting(FileMode(), default=0o755)


@record
class OsStorageEntry(StorageEntry):
    """The environment of the operating system, read-only."""


@record
class StaticStorageEntry(StorageEntry):
    """Values written in the YAML, read-only."""

    values: dict[str, str] = setting(MapOf(Text(scalars=True)), default_factory=dict)


@record
class RouterStorageEntry(StorageEntry):
    """Several storages as one: the first that has a value is read, the very first is written."""

    storages: tuple[str, ...] = setting(
        ListOf(_STORAGE, needed="at least one storage is required"), required="at least one storage is required"
    )


@record
class VariableEntry(Entry):
    """A variable that the application reads.

    Attributes:
        variable: public name; "" when it is reached by its entry id only.
        storage: id of the storage that holds its value.
        default: value when the storage has none, or None.
    """

    variable: str = setting(Text(), default="")
    storage: str = setting(_STORAGE, required="storage is required")
    default: str | None = setting(Text(scalars=True), default=None)
    readonly: bool = setting(Bool(), default=False)

    @property
    def key(self) -> str:
        """The name under which the storage keeps it: the public name, else the entry's own."""
        return self.variable or self.id.partition(":")[2]

    def flaws(self) -> Iterator[Flaw]:
        if not _PUBLIC_NAME.fullmatch(self.variable):
            yield Flaw("variable", "is not a variable name", expected="letters, digits and underscores", show=True)
