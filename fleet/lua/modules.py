"""Finds and compiles the files of lua_modules/, the Lua half of the standard modules."""

from __future__ import annotations

from pathlib import Path

from fleet import _core

SHARED = (
    *("activities", "call_options", "durations", "environment", "errors", "failures", "funcs", "funcs_calls"),
    *("function_events", "function_host", "loader", "os", "outcomes", "print", "process", "require", "time"),
    *("workflow_end", "workflow_engine", "workflow_host", "workflow_start"),
)
"""What most runs load: their states share the code and the strings of these. Each string of another one makes a list of
theirs longer, that is looked through for each new string in a state."""

PACKAGE = Path(__file__).resolve().parent.parent


def modules_directory() -> Path:
    """Where lua_modules/ is: inside the installed package, or beside it in a checkout."""
    for candidate in (PACKAGE / "lua_modules", PACKAGE.parent / "lua_modules"):
        if (candidate / "loader.lua").is_file():
            return candidate
    raise ImportError(f"lua_modules/ is missing beside {PACKAGE}: the installation of lua-fleet is incomplete")


def install_modules() -> None:
    """Compile every module once and hand it to the core. The names of files are the names of modules; a file that
    begins with ``--!`` is passing code (loader.lua)."""
    sources = {path.stem: path.read_bytes() for path in sorted(modules_directory().glob("*.lua"))}
    _core.set_modules(
        {name: _core.compile_lua(source, f"=[{name}]", local_names=False) for name, source in sources.items()},
        shared=SHARED,
        passing=[name for name, source in sources.items() if source.startswith(b"--!")],
    )
