"""HTTP services: routing, the exchange that a handler answers, and the server (spec/registry.md, section 5)."""

from .server import HttpServer, ListenError, http_servers

__all__ = ["HttpServer", "ListenError", "http_servers"]
