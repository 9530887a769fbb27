"""Reading a page of metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    """Values by (name, label=value, ...), labels in order of their names."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }
