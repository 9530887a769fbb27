"""Metric families of a process: what is counted under one name, with the cells of its label values."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Generic, TypeVar

from prometheus_client.mmap_dict import mmap_key

from .store import Cell, Store

MOST_SERIES = 500
"""Label sets of one family in one process. What comes after them is counted under OTHER, so that a name that senders
choose, such as an activity type, cannot fill the memory of everything that stores metrics."""

OTHER = "(other)"

T = TypeVar("T")


class Family(Generic[T]):
    """What is common to all types: a name, a text, and one T for each set of label values."""

    def __init__(self, store: Store, name: str, help: str, labels: Sequence[str] = ()) -> None:
        """
        Args:
            store: where the numbers are.
            name: with its unit; without ``_total``, which counters get.
            help: one sentence.
            labels: names of the labels.
        """
        self.store = store
        self.name = name
        self.help = help
        self.label_names = tuple(labels)
        self._series: dict[tuple[str, ...], T] = {}

    def labels(self, *values: str) -> T:
        """What counts for these label values. Keep it where it is used often."""
        series = self._series.get(values)
        if series is None:
            if len(self._series) >= MOST_SERIES:
                values = (OTHER,) * len(values)
                series = self._series.get(values)
            if series is None:
                series = self._series[values] = self._make(values)
        return series

    def _make(self, values: tuple[str, ...]) -> T:
        raise NotImplementedError

    def _cell(self, kind: str, suffix: str, values: Sequence[str], extra: Sequence[tuple[str, str]] = ()) -> Cell:
        names = [*self.label_names, *(name for name, _ in extra)]
        all_values = [*values, *(value for _, value in extra)]
        return self.store.cell(kind, mmap_key(self.name, self.name + suffix, names, all_values, self.help))


class Counter(Family[Cell]):
    """Only grows."""

    def _make(self, values: tuple[str, ...]) -> Cell:
        return self._cell("counter", "_total", values)


class Gauge(Family[Cell]):
    """What is the case now; the fleet's is the sum over its living processes."""

    def _make(self, values: tuple[str, ...]) -> Cell:
        return self._cell("gauge_livesum", "", values)


class Observations:
    """The observations of one label set of a histogram."""

    __slots__ = ("_bounds", "_buckets", "_sum")

    def __init__(self, bounds: Sequence[float], buckets: Sequence[Cell], total: Cell) -> None:
        self._bounds = bounds
        self._buckets = buckets
        self._sum = total

    def observe(self, value: float) -> None:
        """Count one observation."""
        self._sum.number.value += value
        self._buckets[bisect_left(self._bounds, value)].number.value += 1.0


class Histogram(Family[Observations]):
    """How observations are spread."""

    def __init__(
        self, store: Store, name: str, help: str, labels: Sequence[str] = (), *, bounds: Sequence[float]
    ) -> None:
        """``bounds``: upper bounds of the buckets, ascending; one without a bound comes after them."""
        super().__init__(store, name, help, labels)
        self._bounds = list(bounds)

    def _make(self, values: tuple[str, ...]) -> Observations:
        buckets = [
            self._cell("histogram", "_bucket", values, [("le", str(bound))]) for bound in (*self._bounds, float("inf"))
        ]
        return Observations(self._bounds, buckets, self._cell("histogram", "_sum", values))
