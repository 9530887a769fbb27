"""The page of /metrics: the sum of what all slots have counted, in Prometheus's text format."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from .store import forget_gauges

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "lua-fleet-metrics"
_SHARED_MEMORY = Path("/dev/shm")


class Exposition:
    """Reads the files of all slots. In the supervisor, which is the one that knows when a slot's process has ended."""

    def __init__(self, directory: Path, collectors: Iterable[Collector] = ()) -> None:
        """
        Args:
            directory: where the slots' files are.
            collectors: what else is on the page: what is asked for at each reading.
        """
        self._directory = directory
        self._registry = CollectorRegistry()
        MultiProcessCollector(self._registry, path=str(directory))  # type: ignore[no-untyped-call]
        for collector in collectors:
            self._registry.register(collector)

    def metrics(self) -> bytes:
        """The page, of CONTENT_TYPE."""
        return generate_latest(self._registry)

    def ended(self, slot: str) -> None:
        """The process of a slot has ended: what it said of its present state no longer holds. Before the next fork."""
        forget_gauges(self._directory, slot)


def make_directory() -> Path:
    """A directory for the files of this fleet, in memory where that is possible; the caller removes it at the end.

    Those of fleets of this user that were killed before they could are removed. Raises OSError.
    """
    root = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    for path in root.glob(f"{_PREFIX}-{os.getuid()}-*"):
        pid = path.name.split("-")[4]
        # A pid of our own is that of an earlier container's first process.
        if pid == str(os.getpid()) or not _is_running(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getuid()}-{os.getpid()}-", dir=root))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
