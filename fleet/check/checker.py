"""`check_app`: parses every Lua entry of an application and runs all rules over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fleet.check import (
    nodes,
    rules_calls,
    rules_exports,
    rules_modules,
    rules_names,
    rules_options,
)
from fleet.check.lexer import LuaSyntaxError
from fleet.check.nodes import Chunk
from fleet.check.parser import parse
from fleet.check.rules_exports import Exports
from fleet.check.unit import Unit
from fleet.check.values import Values
from fleet.registry import App, LibraryEntry, LuaEntry, Problem

Rule = Callable[[Unit, Values], Iterator[Problem]]

RULES: tuple[Rule, ...] = (
    rules_names.undefined_globals,
    rules_names.assigned_globals,
    rules_names.absent_names,
    rules_names.metatable_modes,
    rules_modules.required_modules,
    rules_modules.unknown_members,
    rules_modules.separators,
    rules_modules.literal_durations,
    rules_calls.function_calls,
    rules_calls.spawns,
    rules_calls.child_workflows,
    rules_options.option_tables,
    rules_options.search_attributes,
    rules_exports.method_exists,
    rules_exports.duplicate_keys,
    rules_exports.duplicate_functions,
    rules_exports.blocking_body,
)


def check_app(app: App) -> list[Problem]:
    """Find what can be found in an application's Lua before it runs.

    Args:
        app: a loaded application; what is wrong with its YAML is not looked at again.

    Returns:
        Errors (it will not work) and warnings (it probably does not do what was meant), each with file, line and
        hint, ordered by file and line. The same finding in a file that several entries share is told once, for the
        first of them.
    """
    return _Check(app).run()


class _Check:
    """One run over one application."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._entries = [entry for entry in app.entries.values() if isinstance(entry, LuaEntry)]
        self._problems: list[Problem] = []
        self._chunks: dict[str, Chunk | LuaSyntaxError] = {}
        self._units: dict[str, tuple[Unit, Values]] = {}
        self._exports: dict[str, Exports | nodes.Return | None] = {}

    def run(self) -> list[Problem]:
        """Check all entries."""
        users = self._users()
        for entry in self._entries:
            chunk = self._parse(entry)
            if chunk is not None:
                unit = Unit(self._app, entry, chunk, users.get(entry.id, (entry,)))
                self._units[entry.id] = (unit, Values(unit))
        for unit, values in self._units.values():
            for rule in RULES:
                self._problems += rule(unit, values)
            self._problems += rules_exports.library_members(unit, values, self._exports_of)
        return _in_order(self._problems)

    def _parse(self, entry: LuaEntry) -> Chunk | None:
        """The tree of an entry's source; a syntax error becomes a problem."""
        text = entry.source.text
        if text not in self._chunks:
            try:
                self._chunks[text] = parse(text)
            except LuaSyntaxError as error:
                self._chunks[text] = error
        found = self._chunks[text]
        if isinstance(found, LuaSyntaxError):
            line = entry.source.line + found.line - 1
            message = f"{found.message} (column {found.column})"
            self._problems.append(
                Problem("error", message, file=entry.source.file, line=line, entry=entry.id, hint=found.hint)
            )
            return None
        return found

    def _users(self) -> dict[str, tuple[LuaEntry, ...]]:
        """For each library, the entries that run its code."""
        users: dict[str, dict[str, LuaEntry]] = {}
        for entry in self._entries:
            if not isinstance(entry, LibraryEntry):
                for library in self._libraries_of(entry):
                    users.setdefault(library.id, {})[entry.id] = entry
        libraries = (entry for entry in self._entries if isinstance(entry, LibraryEntry))
        return {library.id: tuple(users.get(library.id, {}).values()) for library in libraries}

    def _libraries_of(self, entry: LuaEntry) -> list[LibraryEntry]:
        """The libraries that an entry imports, directly or through others."""
        found: dict[str, LibraryEntry] = {}
        waiting = list(entry.imports.values())
        while waiting:
            library = self._app.entries.get(waiting.pop())
            if isinstance(library, LibraryEntry) and library.id not in found:
                found[library.id] = library
                waiting += library.imports.values()
        return list(found.values())

    def _exports_of(self, library: str) -> Exports | nodes.Return | None:
        if library not in self._exports and library in self._units:
            self._exports[library] = rules_exports.exports_of(*self._units[library])
        return self._exports.get(library)


def _in_order(problems: list[Problem]) -> list[Problem]:
    told: dict[tuple[str, int, str], Problem] = {}
    for problem in problems:
        told.setdefault((problem.file, problem.line, problem.message), problem)
    return sorted(told.values(), key=lambda problem: (problem.file, problem.line))
