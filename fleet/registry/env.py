"""The environment of a running application: variables by name, out of their storages (spec/registry.md, section 7)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .env_storage import (
    EnvError,
    EnvReadOnly,
    FileStorage,
    FixedStorage,
    MemoryStorage,
    RouterStorage,
    Storage,
)
from .kinds.env import (
    FileStorageEntry,
    MemoryStorageEntry,
    OsStorageEntry,
    RouterStorageEntry,
    StaticStorageEntry,
    VariableEntry,
)

__all__ = ["EnvError", "EnvNotFound", "EnvReadOnly", "EnvRegistry"]


class EnvNotFound(EnvError, KeyError):
    """There is no such variable, or it has neither value nor default."""

    kind = "NOT_FOUND"

    def __str__(self) -> str:
        # KeyError would print the text in quotes.
        return str(self.args[0])


class EnvRegistry:
    """The variables of an application.

    A variable is named by its public name, by its entry id, or by the name of its entry inside the namespace of the
    caller. An empty value counts as unset; then the variable's own default applies.
    """

    def __init__(self, entries: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
        """
        Args:
            entries: entries by id; those of the ``env.*`` kinds are used. Their references must be valid.
            environ: environment of the operating system; ``os.environ`` by default.
        """
        self._environ = os.environ if environ is None else environ
        self._storages: dict[str, Storage] = {}
        for entry in entries.values():
            self._open(entry, entries)
        self._variables = {entry.id: entry for entry in entries.values() if isinstance(entry, VariableEntry)}
        self._public = {entry.variable: entry for entry in self._variables.values() if entry.variable}

    def get(self, name: str, namespace: str = "") -> str:
        """The value of a variable.

        Args:
            name: public name, entry id, or entry name in ``namespace``.
            namespace: namespace of the entry that asks.

        Raises:
            EnvNotFound: no such variable, or no value and no default.
            EnvError: its storage cannot be read.
        """
        variable = self._find(name, namespace)
        if variable is None:
            raise EnvNotFound(f"variable {name} is not declared")
        value = self._value(variable)
        if value is None:
            raise EnvNotFound(f"variable {name} is not set")
        return value

    def set(self, name: str, value: str, namespace: str = "") -> None:
        """Stores the value of a variable in its storage; arguments as for ``get``.

        Raises:
            EnvNotFound: no such variable.
            EnvReadOnly: the variable or its storage is read-only.
            EnvError: its storage cannot be written.
        """
        variable = self._find(name, namespace)
        if variable is None:
            raise EnvNotFound(f"variable {name} is not declared")
        if variable.readonly:
            raise EnvReadOnly(f"variable {name} is read-only")
        self._storages[variable.storage].set(variable.key, value)

    def get_all(self) -> dict[str, str]:
        """All variables that have a value, by public name (by entry id where there is none)."""
        values = {}
        for variable in self._variables.values():
            value = self._value(variable)
            if value is not None:
                values[variable.variable or variable.id] = value
        return values

    def placeholder(self, name: str, namespace: str = "") -> str | None:
        """The value for ``${env:name}``, None when it is unset.

        As ``get``, but a name that no ``env.variable`` declares is taken from the operating system: an address or a
        key in the YAML needs no declaration of its own. A declared variable never is, its storage decides.

        Raises:
            EnvError: the variable's storage cannot be read.
        """
        variable = self._find(name, namespace)
        if variable is None:
            return self._environ.get(name) or None
        return self._value(variable)

    def _find(self, name: str, namespace: str) -> VariableEntry | None:
        return self._public.get(name) or self._variables.get(name) or self._variables.get(f"{namespace}:{name}")

    def _value(self, variable: VariableEntry) -> str | None:
        storage = self._storages.get(variable.storage)
        stored = storage.get(variable.key) if storage is not None else None
        return stored or variable.default or None

    def _open(self, entry: Any, entries: Mapping[str, Any]) -> Storage | None:
        """Opens the storage of an entry, those that it refers to first; None for other entries and unknown ones."""
        if entry is None or entry.id in self._storages:
            return self._storages.get(entry.id) if entry is not None else None
        storage: Storage | None = None
        match entry:
            case MemoryStorageEntry():
                storage = MemoryStorage()
            case OsStorageEntry():
                storage = FixedStorage(entry.id, self._environ)
            case StaticStorageEntry():
                storage = FixedStorage(entry.id, entry.values)
            case FileStorageEntry():
                storage = FileStorage(entry.id, entry.file_path, entry.auto_create, entry.file_mode, entry.dir_mode)
            case RouterStorageEntry():
                behind: list[Storage] = []
                # Entered before what it refers to, so that a cycle (an error of its own) ends here.
                storage = self._storages[entry.id] = RouterStorage(behind)
                behind.extend(s for s in (self._open(entries.get(id), entries) for id in entry.storages) if s)
        if storage is not None:
            self._storages[entry.id] = storage
        return storage
