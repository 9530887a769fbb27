"""The host modules that an entry may list, and where each is allowed (spec/lua_api.md, spec/decisions.md 13)."""

from __future__ import annotations

from typing import Literal

Where = Literal["everywhere", "functions", "workflows"]

#: Name -> where it is allowed; "functions" means everything but workflow.lua.
MODULES: dict[str, Where] = {
    "activity": "functions",
    "base64": "everywhere",
    "channel": "everywhere",
    "coroutine": "everywhere",
    "crypto": "everywhere",
    "ctx": "everywhere",
    "env": "functions",
    "errors": "everywhere",
    "funcs": "everywhere",
    "hash": "everywhere",
    "http": "functions",
    "http_client": "functions",
    "json": "everywhere",
    "logger": "everywhere",
    "math": "everywhere",
    "os": "everywhere",
    "payload": "everywhere",
    "process": "everywhere",
    "string": "everywhere",
    "table": "everywhere",
    "time": "everywhere",
    "uuid": "everywhere",
    "workflow": "everywhere",
}

#: Why a module is refused in workflows, for the message.
REFUSALS: dict[str, str] = {
    "activity": "it belongs to the activity that is being executed, and a workflow is none",
    "env": "the environment differs between workers, so a replay could take another path",
    "http": "it belongs to the HTTP request that is being answered, and a workflow answers none",
    "http_client": "it does network I/O, and a replay would do it again",
}

#: Modules of the reference runtime that do not exist here; True for those that do I/O or depend on the host.
ABSENT: dict[str, bool] = {
    "cloudstorage": True,
    "compress": False,
    "contract": False,
    "eval": True,
    "events": True,
    "exec": True,
    "expr": False,
    "fs": True,
    "html": False,
    "io": True,
    "metrics": True,
    "queue": True,
    "registry": True,
    "security": True,
    "sql": True,
    "store": True,
    "stream": True,
    "system": True,
    "template": False,
    "text": False,
    "treesitter": False,
    "websocket": True,
    "yaml": False,
}


def refusal(module: str) -> str:
    """Why workflows may not use ``module``, or "" when they may (or when there is no such module)."""
    if MODULES.get(module) == "functions":
        return REFUSALS[module]
    return "it does I/O, and a replay would do it again" if ABSENT.get(module) else ""
