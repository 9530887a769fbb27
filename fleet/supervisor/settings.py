"""The settings of `fleet supervise`: each is one declaration, from which flags, files, help and `fleet config` come."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.registry.problems import did_you_mean
from fleet.registry.yamlfile import SyntaxProblem, parse_yaml

from . import values
from .memory import CACHE_PERCENT

ENVIRONMENT_PREFIX = "FLEET_"
"""`worker_drain` is FLEET_WORKER_DRAIN in the environment."""

_SHORTEST_JUDGEMENT = 3.0


class SettingsError(Exception):
    """A setting that cannot be used; the text says which, from where, why, and what to do."""


def _setting(read: Callable[[str], Any], default: str, *, unit: str, meaning: str, reason: str) -> Any:
    """Declare one: how a text is read, the default as text, its unit, what it means, why the default is what it is."""
    facts = {"read": read, "default": default, "unit": unit, "meaning": meaning, "reason": reason}
    return dataclasses.field(default=read(default), metadata=facts)


@dataclass(frozen=True)
class Settings:
    """The effective settings. Durations are seconds, sizes are bytes."""

    workers: int | None = _setting(
        values.count_or_auto,
        "auto",
        unit="processes",
        meaning="worker processes; auto is one for each CPU that the affinity mask and the cgroup quota allow",
        reason="a worker uses one CPU, and the number of CPUs of the machine says nothing about what is allowed",
    )
    cpus: tuple[int, ...] = _setting(
        values.cpu_list,
        "",
        unit="CPU numbers",
        meaning="CPUs that workers are pinned to, such as 0-3,6; empty is all of the affinity mask",
        reason="whoever set the mask has chosen the CPUs already",
    )
    pin: str = _setting(
        values.one_of("on", "off"),
        "on",
        unit="on or off",
        meaning="each worker stays on one CPU; off leaves them to the scheduler",
        reason="a worker keeps its caches warm; where others share the CPUs of the mask (containers without CPUs of"
        " their own) each fleet would crowd the first ones: switch it off there",
    )
    worker_drain: float = _setting(
        values.duration,
        "35s",
        unit="duration",
        meaning="how long a worker may take to finish its tasks after it was told to end; then it is killed",
        reason="activities get 30 s (worker_stop_timeout of an entry), and what they report has to reach the server",
    )
    fleet_drain: float = _setting(
        values.duration,
        "45s",
        unit="duration",
        meaning="how long the whole fleet may take to end; must be longer than worker_drain",
        reason="a worker that is killed at its own deadline has to be reaped and logged",
    )
    termination_grace: float = _setting(
        values.duration,
        "0",
        unit="duration",
        meaning="after which the outer manager kills the fleet (TimeoutStopSec, terminationGracePeriodSeconds): must be"
        " longer than fleet_drain; 0 is unknown",
        reason="nobody but the outer manager knows it",
    )
    hung_after: float = _setting(
        values.duration,
        "15s",
        unit="duration",
        meaning="a worker whose event loop has not turned for so long is hung: its stacks are dumped, it is replaced",
        reason="a loop turns each second; a machine that swaps or stops for a snapshot is back within seconds",
    )
    stuck_after: float = _setting(
        values.duration,
        "60s",
        unit="duration",
        meaning="a worker with a workflow activation that has not ended for so long is stuck, and replaced likewise",
        reason="the engine ends an activation after 1 s, so that one of a minute is beyond it; activities are not"
        " judged, they have timeouts of their own",
    )
    healthy_after: float = _setting(
        values.duration,
        "60s",
        unit="duration",
        meaning="a worker that lived so long has its delays before restarts forgotten",
        reason="what fails at the start fails within seconds, at the latest when connections time out",
    )
    cache_memory: int | None = _setting(
        values.size_or_auto,
        "auto",
        unit="bytes or auto",
        meaning="what the Lua states of the workflow runs that one worker has cached may hold together; 0 is no limit;"
        f" auto is {CACHE_PERCENT}% of the memory that machine and cgroup allow, divided by the workers",
        reason="a run of some steps holds 100 KiB to 1 MiB and may hold 64 MiB, so that their number bounds nothing",
    )
    max_cached_workflows: int = _setting(
        values.count,
        "1000",
        unit="runs",
        meaning="how many workflow runs a worker caches of each task queue, beside cache_memory; 0 caches none",
        reason="the SDK's own default",
    )
    lane: str = _setting(
        values.one_of("auto", "public"),
        "auto",
        unit="auto or public",
        meaning="how workers run workflows and activities: auto drives Temporal's core directly wherever that is"
        " possible; public keeps to the SDK's own worker, which is slower",
        reason="both do the same; public is there to find out whether a trouble comes from the one",
    )
    recycle_age: float = _setting(
        values.duration,
        "0",
        unit="duration",
        meaning="a worker is replaced at this age, give or take a tenth; 0 is never",
        reason="workers have no known leak, and each replacement throws a cache away",
    )
    recycle_memory: int = _setting(
        values.size,
        "0",
        unit="bytes",
        meaning="a worker is replaced when its resident memory is above this in three looks in a row; 0 is never",
        reason="what is too much depends on the machine and on the number of workers",
    )
    ready_share: int = _setting(
        values.percent,
        "50%",
        unit="percent",
        meaning="/readyz is good while this share of the workers polls, and at least one does",
        reason="a reload replaces one worker at a time, and that must not make the fleet unready",
    )
    listen: tuple[str, int] | None = _setting(
        values.address,
        "127.0.0.1:9600",
        unit="HOST:PORT or off",
        meaning="where /livez, /readyz, /status and /metrics are",
        reason="the facts are for this machine's agents; whoever wants them on the network says so",
    )
    control_socket: str = _setting(
        values.path,
        "",
        unit="path",
        meaning="Unix socket of fleet status, reload, scale, drain and top; empty is one in the user's runtime"
        " directory, by the directory of the application",
        reason="the commands find it by the application alone",
    )
    pid_file: str = _setting(
        values.path,
        "",
        unit="path",
        meaning="file that holds the process id of the supervisor; empty is none",
        reason="systemd and containers need none",
    )
    scaling: bool = _setting(
        values.on_or_off,
        "on",
        unit="on or off",
        meaning="whether the permits of task queues follow their load; off: the fixed sizes of the entries",
        reason="a queue that is busy gets what idle ones do not need, and a database is not called by all at once",
    )
    scaling_workflow_budget: int | None = _setting(
        values.count_or_auto,
        "auto",
        unit="permits",
        meaning="the most workflow tasks in hand in the whole fleet, polls for more included; auto is what the entries"
        " allow",
        reason="a workflow task takes CPU for about a millisecond, and its worker bounds that by itself",
    )
    scaling_activity_budget: int | None = _setting(
        values.count_or_auto,
        "auto",
        unit="permits",
        meaning="the most activities in hand in the whole fleet, polls for more included; auto is what the entries"
        " allow",
        reason="what activities call has a limit that nobody here knows",
    )
    scaling_limits: tuple[tuple[str, int, int], ...] = _setting(
        values.limits,
        "",
        unit="ENTRY/KIND=LEAST-MOST",
        meaning="bounds of single queues in the whole fleet, such as app:worker/activity=2-50; 0-0 stops one",
        reason="the size of an entry, times the number of workers, is the bound of its queue",
    )
    scaling_target_age: float = _setting(
        values.duration,
        "5s",
        unit="duration",
        meaning="a busy queue whose first task has waited so long doubles its permits each second",
        reason="most activities take less, and people notice more",
    )
    scaling_down_after: float = _setting(
        values.duration,
        "30s",
        unit="duration",
        meaning="permits that were not needed for so long are taken away",
        reason="what comes twice a minute finds its permits; a poll gives its one back after a minute anyhow",
    )
    scaling_retry_after: float = _setting(
        values.duration,
        "60s",
        unit="duration",
        meaning="after growth that brought no more finished tasks it is tried again after so long",
        reason="a database that is overloaded for a minute is not for all day",
    )
    scaling_workers: tuple[int, int] | None = _setting(
        values.range_or_off,
        "off",
        unit="LEAST-MOST or off",
        meaning="bounds within which the number of workers follows CPU use and permits that are wanting",
        reason="more workers than CPUs help only what waits, and where pods are scaled the two would work against"
        " each other",
    )
    log_format: str = _setting(
        values.one_of("auto", "console", "json"),
        "auto",
        unit="auto, console or json",
        meaning="form of the log on stderr; auto is console on a terminal, else json",
        reason="people read one, programs the other",
    )
    log_level: str = _setting(
        values.one_of("debug", "info", "warning", "error"),
        "info",
        unit="debug, info, warning or error",
        meaning="the least level of what the fleet and the scripts log",
        reason="a decision of the supervisor is info, and each has to be found later",
    )

    def __post_init__(self) -> None:
        for name in ("hung_after", "stuck_after"):
            if getattr(self, name) < _SHORTEST_JUDGEMENT:
                raise SettingsError(
                    f"{name} ({getattr(self, name):g} s) is less than {_SHORTEST_JUDGEMENT:g} s\n"
                    "    a worker shows once a second that it lives: healthy ones would be killed"
                )
        nested = [
            ("worker_drain", self.worker_drain, "fleet_drain", self.fleet_drain),
            ("fleet_drain", self.fleet_drain, "termination_grace", self.termination_grace),
        ]
        for inner, short, outer, long in nested:
            if short >= long and not (outer == "termination_grace" and long == 0):
                raise SettingsError(
                    f"{outer} ({long:g} s) is not longer than {inner} ({short:g} s)\n"
                    f"    whoever waits outside would kill what still has time inside: raise {outer} or lower {inner}"
                )


@dataclass(frozen=True)
class Found:
    """A setting with where it comes from.

    Attributes:
        name: of the setting.
        text: the value as written.
        source: ``--flag``, ``FLEET_NAME``, the file with its line, or ``default``.
        unit: what the value is.
        meaning: what it means.
        reason: why the default is what it is.
    """

    name: str
    text: str
    source: str
    unit: str
    meaning: str
    reason: str


def names() -> list[str]:
    """The names of all settings, in order."""
    return [field.name for field in dataclasses.fields(Settings)]


def meaning(name: str) -> str:
    """What setting `name` means, with its default."""
    facts = Settings.__dataclass_fields__[name].metadata
    return f"{facts['meaning']} (default: {facts['default'] or 'empty'})"


def resolve(
    flags: Mapping[str, str | None], environ: Mapping[str, str], file: Path | None
) -> tuple[Settings, list[Found]]:
    """The effective settings, and where each came from: flags, then the environment, then the file, then defaults.

    flags: texts by name of the setting; None is not given. file: a YAML map from names to values; None without one.
    Raises SettingsError.
    """
    written = _file_values(file) if file is not None else {}
    found, read = [], {}
    for field in dataclasses.fields(Settings):
        name, facts = field.name, field.metadata
        flag, variable = flags.get(name), ENVIRONMENT_PREFIX + name.upper()
        if flag is not None:
            text, source = flag, f"--{name.replace('_', '-')}"
        elif variable in environ:
            text, source = environ[variable], variable
        elif name in written:
            text, source = written[name]
        else:
            text, source = facts["default"], "default"
        try:
            read[name] = facts["read"](text)
        except ValueError as error:
            raise SettingsError(f"{source}: {name} is {text!r}: {error}") from None
        found.append(Found(name, text, source, facts["unit"], facts["meaning"], facts["reason"]))
    return Settings(**read), found


def _file_values(file: Path) -> dict[str, tuple[str, str]]:
    """Texts and places by name."""
    try:
        root = parse_yaml(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"{file} cannot be read: {reason}") from None
    except SyntaxProblem as problem:
        raise SettingsError(f"{file}:{problem.line}: {problem.message}") from None
    if root is None:
        return {}
    if not isinstance(root.value, dict):
        raise SettingsError(f"{file}:{root.line}: must be a map from settings to values, such as worker_drain: 35s")
    found = {}
    for name, node in root.value.items():
        place = f"{file}:{node.line}"
        if name not in names():
            raise SettingsError(f"{place}: {name} is not a setting\n    {did_you_mean(name, names())}")
        if isinstance(node.value, list):
            texts = [below.text for below in node.value]
        elif isinstance(node.value, dict):
            raise SettingsError(f"{place}: {name} must be a single value")
        else:
            texts = [node.text if node.value is not None else ""]
        found[name] = (",".join(texts), place)
    return found
