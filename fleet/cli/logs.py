"""What scripts, workers and Temporal's SDK log, as readable lines on stderr."""

from __future__ import annotations

import logging
import re

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    MetricBuffer,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from .log_lines import Lines

_CORE_FILTER = TelemetryFilter(core_level="WARN", other_level="ERROR")


def show_logs(
    *, scripts: int = logging.INFO, handler: logging.Handler | None = None, metrics: MetricBuffer | None = None
) -> None:
    """Send logging to stderr: what scripts print from level `scripts` on, of everything else the warnings.

    handler: in place of the readable lines. metrics: where the SDK, whose default runtime this makes, puts its metrics.
    """
    logging.basicConfig(level=logging.WARNING, handlers=[handler or Lines()], force=True)
    logging.getLogger("fleet.script").setLevel(scripts)
    logging.getLogger("temporalio.core").addFilter(_readable)
    core = LoggingConfig(_CORE_FILTER, forwarding=LogForwardingConfig(logging.getLogger("temporalio.core")))
    _default_runtime(core, metrics)


def be_quiet() -> None:
    """Let nothing be logged: the command reports what matters itself."""
    logging.disable(logging.CRITICAL)
    _default_runtime(None)


def _readable(record: logging.LogRecord) -> bool:
    """Of core's words about failed workflow tasks keep those that nobody else says: that a history does not fit."""
    text = record.getMessage()
    if "Failing workflow task" not in text:
        return True
    match = re.search(r'message: "(\[TMPRL1100\](?:[^"\\]|\\.)*)"', text)
    if match is None:
        return False
    run = re.search(r"'run_id': '([^']*)'", text)
    record.msg, record.args = (
        "Workflow task failed: %s (run %s)\nthe code does not fit the history of this run: `fleet replay` says where",
        (match[1], run[1] if run else "?"),
    )
    if run:
        record.fleet = {"run_id": run[1]}
    return True


def _default_runtime(logs: LoggingConfig | None, metrics: MetricBuffer | None = None) -> None:
    """The SDK's core would write its log to stdout, where the results are."""
    telemetry = TelemetryConfig(logging=logs, metrics=metrics, attach_service_name=False)
    Runtime.set_default(Runtime(telemetry=telemetry), error_if_already_set=False)
