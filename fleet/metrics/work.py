"""What a worker process counts. docs/metrics.md explains each family to those who read graphs."""

from __future__ import annotations

from .families import Counter, Histogram
from .store import Store

STORE = Store()
"""The numbers of this worker process; ``STORE.attach`` is called after the fork."""

_WORKFLOW_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_ACTIVITY_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_HTTP_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

ACTIVATIONS = Counter(
    STORE,
    "fleet_workflow_activations",
    "Workflow activations by their result: completed, failed (a task failure), violation (a limit), fault (engine).",
    ["result"],
)
ACTIVATION_SECONDS = Histogram(
    STORE,
    "fleet_workflow_activation_seconds",
    "Time that Lua took for one workflow activation, live or during a replay.",
    ["phase"],
    bounds=_WORKFLOW_BOUNDS,
)
EVICTIONS = Counter(
    STORE, "fleet_workflow_cache_evictions", "Workflow runs that left the cache, by the reason.", ["reason"]
)
CODEC_BYTES = Counter(
    STORE,
    "fleet_codec_bytes",
    "Bytes that the native core decoded or encoded, of workflow activations and of activity payloads.",
    ["direction", "side"],
)
ACTIVITIES = Counter(
    STORE,
    "fleet_activity_executions",
    "Activity executions by entry and result: completed, failed, canceled.",
    ["entry", "result"],
)
ACTIVITY_SECONDS = Histogram(
    STORE,
    "fleet_activity_execution_seconds",
    "Time from the start of an activity's function to its end, waiting included.",
    ["entry"],
    bounds=_ACTIVITY_BOUNDS,
)
MESSAGES = Counter(
    STORE,
    "fleet_process_messages",
    "Messages handed to workflows and to processes: delivered, repeated (dropped), full or not_found (refused).",
    ["receiver", "result"],
)
HTTP_REQUESTS = Counter(
    STORE,
    "fleet_http_requests",
    "HTTP requests by endpoint entry and status class; canceled: the client left.",
    ["entry", "status"],
)
HTTP_SECONDS = Histogram(
    STORE,
    "fleet_http_request_seconds",
    "Time from the head of an HTTP request to the end of its response.",
    ["entry"],
    bounds=_HTTP_BOUNDS,
)
CPU_SECONDS = Counter(STORE, "fleet_worker_cpu_seconds", "Processor time of the worker processes of a slot.", ["slot"])

# A series that begins with its first event hides that event from rate(): those that can be foreseen begin at 0.
for _result in ("delivered", "repeated", "full", "not_found"):
    MESSAGES.labels("process", _result)
for _reason in ("ended", "bytes", "count"):
    EVICTIONS.labels(_reason)

_RESULTS = {result: ACTIVATIONS.labels(result) for result in ("completed", "failed", "violation", "fault")}
_LIVE, _REPLAY = ACTIVATION_SECONDS.labels("live"), ACTIVATION_SECONDS.labels("replay")
_ACTIVATION_IN, _COMPLETION_OUT = CODEC_BYTES.labels("decoded", "workflow"), CODEC_BYTES.labels("encoded", "workflow")
_ARGUMENTS_IN, _RESULT_OUT = CODEC_BYTES.labels("decoded", "activity"), CODEC_BYTES.labels("encoded", "activity")


def count_activation(result: str, seconds: float, is_replaying: bool, decoded: int, encoded: int) -> None:
    """Count a workflow activation: its result, the time that Lua took, the bytes of activation and completion."""
    # Workflows' hot path: each call that is left out here is felt.
    _RESULTS[result].number.value += 1.0
    (_REPLAY if is_replaying else _LIVE).observe(seconds)
    _ACTIVATION_IN.number.value += decoded
    _COMPLETION_OUT.number.value += encoded


def expect_activity(entry: str) -> None:
    """Let the series of an activity begin at 0."""
    for result in ("completed", "failed", "canceled"):
        ACTIVITIES.labels(entry, result)
    ACTIVITY_SECONDS.labels(entry)


def expect_endpoint(entry: str) -> None:
    """Let the series of an HTTP endpoint begin at 0."""
    for status in ("2xx", "4xx", "5xx"):
        HTTP_REQUESTS.labels(entry, status)
    HTTP_SECONDS.labels(entry)


def count_activity(entry: str, result: str, seconds: float, decoded: int, encoded: int) -> None:
    """Count an activity execution: its result, its time, the bytes of its arguments and of its result."""
    ACTIVITIES.labels(entry, result).add()
    ACTIVITY_SECONDS.labels(entry).observe(seconds)
    _ARGUMENTS_IN.add(decoded)
    _RESULT_OUT.add(encoded)
