"""The page of /metrics: the sum of what all slots have counted, in Prometheus's text format."""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import struct
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .store import SLOT_BYTES, forget_gauges, positions, used_bytes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "lua-fleet-metrics"
_SHARED_MEMORY = Path("/dev/shm")
_NUMBER = struct.Struct("d")


class NoRoom(Exception):
    """There is no space for the files of the slots; the text says where, how much is missing, and what to do."""


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
        for collector in (_Sums(directory), *collectors):
            self._registry.register(collector)

    def metrics(self) -> bytes:
        """The page, of CONTENT_TYPE. Raises what a file that is damaged causes."""
        return generate_latest(self._registry)

    def ended(self, slot: str) -> None:
        """The process of a slot has ended: what it said of its present state no longer holds. Before the next fork."""
        forget_gauges(self._directory, slot)


class _Series(NamedTuple):
    """What a key means; the keys of the same number in two files are equal."""

    type: str
    family: str
    help: str
    sample: str
    labels: tuple[tuple[str, str], ...]


@dataclass
class _Layout:
    """Where the numbers of a file are."""

    inode: int
    used: int
    numbers: list[tuple[tuple[str, str], int]]


class _Sums(Collector):
    """The sums of the numbers of all files.

    prometheus_client's MultiProcessCollector gives the same and looks at each number of each slot at length: with 64
    slots it took two seconds, in which the one thread of the supervisor did nothing else; this takes a tenth of one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._layouts: dict[Path, _Layout] = {}
        self._series: dict[tuple[str, str], _Series] = {}

    def collect(self) -> Iterator[Metric]:
        """The families."""
        totals: dict[tuple[str, str], float] = defaultdict(float)
        paths = sorted(self._directory.glob("*.db"))
        self._layouts = {path: layout for path, layout in self._layouts.items() if path in paths}
        for path in paths:
            data = path.read_bytes()
            for key, position in self._layout(path, data).numbers:
                totals[key] += _NUMBER.unpack_from(data, position)[0]
        families: dict[str, Metric] = {}
        buckets: dict[tuple[str, tuple[tuple[str, str], ...]], dict[float, float]] = defaultdict(dict)
        for key, total in totals.items():
            series = self._meaning(key)
            family = families.get(series.family)
            if family is None:
                family = families[series.family] = Metric(series.family, series.help, series.type)
            labels = dict(series.labels)
            if series.type == "histogram" and series.sample == f"{series.family}_bucket":
                bound = float(labels.pop("le"))
                buckets[series.family, tuple(labels.items())][bound] = total
            else:
                family.add_sample(series.sample, labels, total)
        for (name, below), counts in buckets.items():
            so_far = 0.0
            for bound in sorted(counts):
                so_far += counts[bound]
                le = "+Inf" if bound == math.inf else str(bound)
                families[name].add_sample(f"{name}_bucket", {**dict(below), "le": le}, so_far)
            families[name].add_sample(f"{name}_count", dict(below), so_far)
        yield from families.values()

    def _layout(self, path: Path, data: bytes) -> _Layout:
        inode, used = path.stat().st_ino, used_bytes(data)
        layout = self._layouts.get(path)
        if layout is None or (layout.inode, layout.used) != (inode, used):
            kind = path.name.partition("_")[0]
            numbers = [((kind, sys.intern(key)), position) for key, position in positions(data)]
            layout = self._layouts[path] = _Layout(inode, used, numbers)
        return layout

    def _meaning(self, key: tuple[str, str]) -> _Series:
        series = self._series.get(key)
        if series is None:
            family, sample, labels, help = json.loads(key[1])
            series = self._series[key] = _Series(key[0], family, help, sample, tuple(sorted(labels.items())))
        return series


def make_directory(slots: int) -> Path:
    """A directory for the files of this fleet, in memory where that is possible; the caller removes it at the end.

    Those of fleets of this user that were killed before they could are removed.

    Args:
        slots: how many there must be room for; the supervisor counts in one of its own.

    Raises NoRoom, OSError.
    """
    needed = slots * SLOT_BYTES
    roots = [root for root in (_SHARED_MEMORY, Path(tempfile.gettempdir())) if os.access(root, os.W_OK)]
    for root in roots:
        _remove_left(root)
        if _free_bytes(root) >= needed:
            return _make_locked(root, f"{_PREFIX}-{os.getuid()}-{os.getpid()}-")
    free = ", ".join(f"{root} has {_free_bytes(root) / (1 << 20):.1f}" for root in roots)
    raise NoRoom(
        f"the metrics need {needed / (1 << 20):.1f} MiB of space: {free}\n"
        "    free some, or do without metrics and probes (listen: off, --listen off)"
    )


def _make_locked(root: Path, prefix: str) -> Path:
    unlocked = Path(tempfile.mkdtemp(prefix=f".{prefix}", dir=root))
    # Open, and by that locked, for as long as this process or a worker of it lives. The pid would not tell: where
    # containers share memory, each has a process 1.
    fcntl.flock(os.open(unlocked, os.O_RDONLY | os.O_CLOEXEC), fcntl.LOCK_EX)
    # Under this name others look at it.
    return unlocked.rename(unlocked.with_name(unlocked.name[1:]))


def _remove_left(root: Path) -> None:
    for path in root.glob(f"{_PREFIX}-{os.getuid()}-*"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def _free_bytes(root: Path) -> float:
    facts = os.statvfs(root)
    # A file system in memory without a limit has no blocks.
    return facts.f_bavail * facts.f_frsize if facts.f_blocks else math.inf
