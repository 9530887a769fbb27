"""Entries to programs: compiled once per process, shared by every state that runs them."""

from __future__ import annotations

import re
from typing import Any

from fleet import _core
from fleet.registry import App, AppError, LuaEntry, Problem


class ScriptProblem(Exception):
    """A Lua file of an entry does not compile. `problem` says where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.render())
        self.problem = problem


class Programs:
    """The programs of an application, made on first use."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._programs: dict[str, _core.Program] = {}
        self._code: dict[str, bytes] = {}

    def get(self, entry_id: str) -> _core.Program:
        """The program of a workflow, function or process entry.

        Raises KeyError, or ScriptProblem if it does not compile.
        """
        program = self._programs.get(entry_id)
        if program is None:
            program = self._programs[entry_id] = self._build(self._callable(entry_id))
        return program

    def problems(self) -> list[Problem]:
        """Compile everything; what does not compile, in the order of the entries."""
        found = []
        for entry in self.app.entries.values():
            if isinstance(entry, LuaEntry):
                try:
                    self._compile(entry)
                except ScriptProblem as error:
                    found.append(error.problem)
        return found

    def check(self) -> None:
        """Compile everything. Raises AppError with all that does not compile."""
        if problems := self.problems():
            raise AppError(problems)

    def _callable(self, entry_id: str) -> LuaEntry:
        for group in (self.app.workflows, self.app.functions, self.app.processes):
            if entry_id in group:
                return group[entry_id]
        raise KeyError(entry_id)

    def _build(self, entry: LuaEntry) -> _core.Program:
        libraries: dict[str, LuaEntry] = {}
        pending = list(entry.imports.values())
        while pending:
            library = self.app.libraries[pending.pop()]
            if library.id not in libraries:
                libraries[library.id] = library
                pending.extend(library.imports.values())
        chunks = {"main": self._compile(entry), **{id: self._compile(library) for id, library in libraries.items()}}
        manifest = {
            "entry": self._spec(entry) | {"method": self._method(entry)},
            "libraries": {id: self._spec(library) for id, library in libraries.items()},
        }
        return _core.Program(chunks, manifest)

    @staticmethod
    def _spec(entry: LuaEntry) -> dict[str, Any]:
        return {"id": entry.id, "modules": list(entry.modules), "imports": dict(entry.imports)}

    @staticmethod
    def _method(entry: LuaEntry) -> str:
        method: str = getattr(entry, "method", "")
        return method or "main"

    def _compile(self, entry: LuaEntry) -> bytes:
        code = self._code.get(entry.id)
        if code is None:
            source = entry.source
            # Text that stands in the YAML itself keeps the YAML's line numbers.
            text = "\n" * (source.line - 1) + source.text
            try:
                code = _core.compile_lua(text.encode(), f"@{source.file}")
            except _core.LuaSyntaxError as error:
                raise ScriptProblem(_problem(entry, str(error))) from None
            self._code[entry.id] = code
        return code


def _problem(entry: LuaEntry, text: str) -> Problem:
    match = re.match(r"^.*?:(\d+): (.*)$", text, re.DOTALL)
    line, message = (int(match[1]), match[2]) if match else (entry.source.line, text)
    return Problem(
        severity="error",
        message=message,
        file=entry.source.file,
        line=line,
        entry=entry.id,
        field="source",
        hint="the file is not valid Lua 5.5",
    )
