"""The Temporal SDK's own metrics, brought into the files of the worker's slot, and what the process itself uses.

The SDK's exporters count from 0 in each process and need a port for each; its buffer gives us the updates instead.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping

from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BufferedMetric,
    MetricBuffer,
    MetricBufferDurationFormat,
)

from fleet.metrics.families import Counter, Gauge, Histogram
from fleet.metrics.store import Store
from fleet.metrics.work import CPU_SECONDS
from fleet.process.delivery import NODE_QUEUES

DRAIN_SECONDS = 0.25
"""How often the buffer is emptied: often, so that no round holds a busy event loop for more than some milliseconds."""

_BUFFERED_UPDATES = 100_000
_LATENCIES = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_SIZES = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0)

_Record = Callable[[float], None]
_Kind = type[Counter] | type[Gauge] | type[Histogram]


class SdkMetrics:
    """Takes what one Temporal runtime measures.

    Attributes:
        buffer: where the runtime puts it: the `metrics` of its TelemetryConfig.
    """

    def __init__(self, store: Store) -> None:
        """`store`: where the numbers go."""
        self._store = store
        self.buffer = MetricBuffer(_BUFFERED_UPDATES, MetricBufferDurationFormat.SECONDS)
        self._families: dict[tuple[str, tuple[str, ...]], Counter | Gauge | Histogram] = {}
        self._records: dict[tuple[str, tuple[tuple[str, object], ...]], _Record] = {}

    def drain(self) -> None:
        """Count what has been measured since the last call; find room for what had none."""
        self._store.settle()
        # By identity, as the SDK proposes, for the length of this call only: it makes new attributes for each task, and
        # who keeps those to know them again keeps all tasks.
        known: dict[tuple[int, int], _Record] = {}
        for update in self.buffer.retrieve_updates():
            metric, attributes = update.metric, update.attributes
            identity = id(metric), id(attributes)
            record = known.get(identity)
            if record is None:
                record = known[identity] = self._lookup(metric, attributes)
            record(update.value)

    def _lookup(self, metric: BufferedMetric, attributes: Mapping[str, object]) -> _Record:
        key = metric.name, tuple(attributes.items())
        record = self._records.get(key)
        if record is None:
            record = self._record(metric, attributes)
            if len(self._records) < _BUFFERED_UPDATES:
                self._records[key] = record
        return record

    def _record(self, metric: BufferedMetric, attributes: Mapping[str, object]) -> _Record:
        labels = sorted((_word(name), _label_value(str(value))) for name, value in attributes.items())
        names = tuple(name for name, _ in labels)
        values = [value for _, value in labels]
        family = self._families.get((metric.name, names))
        if family is None:
            family = self._families[metric.name, names] = self._family(metric, names)
        if isinstance(family, Histogram):
            return family.labels(*values).observe
        cell = family.labels(*values)
        return cell.add if isinstance(family, Counter) else cell.set

    def _family(self, metric: BufferedMetric, labels: tuple[str, ...]) -> Counter | Gauge | Histogram:
        name = _word(metric.name)
        help = metric.description or "A metric that code of this application made with the Temporal SDK."
        if metric.kind == BUFFERED_METRIC_KIND_COUNTER:
            return Counter(self._store, name.removesuffix("_total"), help, labels)
        if metric.kind == BUFFERED_METRIC_KIND_GAUGE:
            return Gauge(self._store, name, help, labels)
        is_time = metric.unit in ("s", "duration")
        name = f"{name.removesuffix('_seconds')}_seconds" if is_time else name
        return Histogram(self._store, name, help, labels, bounds=_LATENCIES if is_time else _SIZES)


async def follow(sdk: SdkMetrics, slot: str) -> None:
    """Keep the SDK's metrics and the processor time of this process up to date, until cancelled; then once more."""
    processor = CPU_SECONDS.labels(slot)
    counted = 0.0
    while True:
        try:
            await asyncio.sleep(DRAIN_SECONDS)
        finally:
            sdk.drain()
            used = time.process_time()
            processor.add(used - counted)
            counted = used


def _word(name: str) -> str:
    """A name that Prometheus takes."""
    return re.sub(r"^(?=\d)|\W", "_", name, flags=re.ASCII)


def _label_value(value: str) -> str:
    # A node has another id after each start: its queue would be another series each time.
    return NODE_QUEUES if value.startswith(NODE_QUEUES) else value
