"""The Python half of the Lua modules: what they ask of the host.

A module is a small file with one or more of these tables, collected here:

``HOST``
    synchronous functions for ``core.host(name, ...)``, pure: the same arguments give the same result everywhere, so
    that workflows may use them as well.
``CALL_HOST``
    synchronous functions that need the call they serve, which comes first; not for workflows.
``REQUESTS``
    asynchronous functions for ``host.request(name, ...)``; they get the call first. Not for workflows.

Arguments and results are what crosses between Lua and Python: None, bool, int, float, str or bytes (a Lua string
arrives as ``str`` when it is UTF-8), lists, dicts and ``LuaError``. A failure that the script should see is an answer:
a ``LuaError`` returned, or ``RequestFailed`` raised by a request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any

from fleet.registry import App, LuaEntry

from . import basics, crypto, digests, environment, http_client, http_exchange, json_schema, logger, tokens, zones
from .caller import Caller, RequestFailed

HostFunction = Callable[..., Any]
CallFunction = Callable[..., Any]
RequestHandler = Callable[..., Awaitable[Any]]

_MODULES: tuple[Any, ...] = (
    basics,
    crypto,
    digests,
    environment,
    http_client,
    http_exchange,
    json_schema,
    logger,
    tokens,
    zones,
)


def _collect(table: str) -> dict[str, Any]:
    collected: dict[str, Any] = {}
    for module in _MODULES:
        for name, function in getattr(module, table, {}).items():
            if name in collected:
                raise ImportError(f"two modules provide {table}[{name!r}]")
            collected[name] = function
    return collected


HOST: Mapping[str, HostFunction] = _collect("HOST")
CALL_HOST: Mapping[str, CallFunction] = _collect("CALL_HOST")
REQUESTS: Mapping[str, RequestHandler] = _collect("REQUESTS")

_LIBRARIES = {"crypto": ("cryptography.hazmat.primitives.ciphers.aead", "jwt.algorithms"), "http_client": ("aiohttp",)}


def preload(app: App) -> None:
    """Import the libraries that modules of the application's scripts are built on: they take a good part of the second
    that an activation may last."""
    listed = {name for entry in app.entries.values() if isinstance(entry, LuaEntry) for name in entry.modules}
    for name in sorted(listed & _LIBRARIES.keys()):
        for library in _LIBRARIES[name]:
            import_module(library)


__all__ = ["CALL_HOST", "HOST", "REQUESTS", "Caller", "RequestFailed", "preload"]
