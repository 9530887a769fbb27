"""``fleet supervise APP``."""

from __future__ import annotations

import argparse
import gc
import hashlib
import logging
import os
import shutil
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.metrics.exposition import NoRoom, make_directory
from fleet.registry import App, load_app
from fleet.supervisor import control, web
from fleet.supervisor.cpus import allowed_cpus, cgroup_quota, default_workers
from fleet.supervisor.files import FileInUse, default_socket, identity, listen, remove, write_pid
from fleet.supervisor.forking import fork
from fleet.supervisor.job import Program, WorkerJob
from fleet.supervisor.metrics import FleetMetrics
from fleet.supervisor.notify import Notifier
from fleet.supervisor.release import Release, Validation
from fleet.supervisor.scaling_queues import limits_of, scaled_queues
from fleet.supervisor.scaling_stats import TaskQueue
from fleet.supervisor.settings import Settings, SettingsError, names
from fleet.supervisor.status import status_of
from fleet.supervisor.supervisor import FleetEnd, Supervisor

from .apps import add_app_argument, app_directory, open_app
from .exit import CONFIGURATION, INTERNAL, SERVER, CommandError
from .fleet_settings import add_flags, settings_of
from .known_errors import NO_SPACE
from .log_lines import JsonLines, Lines
from .output import stderr

if TYPE_CHECKING:
    from fleet.worker.serve import Connector

EPILOG = """\
One worker process for each CPU that is allowed, each of which serves every temporal.worker of the application; HTTP
services share their ports, process.service entries run in each worker. The server is that of the temporal.client
entries; TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE stand in for theirs.

  TERM, INT   finish what is in hand and end; a second time: at once       HUP         validate and serve the new code
  TTIN, TTOU  one worker more, one less                                    USR1        log the state

`fleet config` prints the settings, docs/supervise.md says more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_app_argument(parser)
    add_flags(parser, names())


def run(args: argparse.Namespace) -> int:
    """Supervise until a signal ends the fleet, and then die by that signal."""
    settings, _ = settings_of(args)
    root = app_directory(args.app).resolve()
    app = open_app(args.app)
    _log(settings)
    cpus = _cpus(settings)
    program = Program(
        work=_work,
        report=partial(_report, settings),
        validate=lambda: _findings(root, settings_of(args)[0]),
        load=lambda: load_app(root),
        settings=lambda: settings_of(args)[0],
    )
    # The Lua is compiled by a child: this process has no Lua state. It imports what workers need meanwhile.
    validation = Validation(program.validate, lambda work: fork(work, []))
    _import_for_workers(app)
    findings = _findings_of(validation)
    if findings:
        raise CommandError(findings, CONFIGURATION)
    notifier = Notifier(os.environ)
    count = settings.workers or default_workers(cpus, cgroup_quota())
    supervisor = Supervisor(program, Release(app, 1), settings, cpus, count, notifier)
    _open(supervisor, settings, root)
    _remember(supervisor, settings, root)
    # What is there now is shared by all workers: their collectors must not write into it.
    gc.collect()
    gc.freeze()
    return _leave(supervisor.run())


def _cpus(settings: Settings) -> list[int]:
    allowed = allowed_cpus()
    if not settings.cpus:
        return allowed
    missing = [cpu for cpu in settings.cpus if cpu not in allowed]
    if missing:
        raise CommandError(
            f"cpus: {', '.join(map(str, missing))} not among the CPUs that this process may use: "
            f"{', '.join(map(str, allowed))}",
            CONFIGURATION,
        )
    return list(settings.cpus)


def _findings_of(validation: Validation) -> str:
    os.set_blocking(validation.descriptor, True)
    validation.read()
    _, status = os.waitpid(validation.pid, 0)
    return validation.finish(os.waitstatus_to_exitcode(status))


def _findings(root: Path, settings: Settings) -> str:
    """What is wrong with the application, in a child."""
    from fleet.check.inspection import inspect_app

    inspection = inspect_app(root)
    if inspection.app is None or not inspection.runnable:
        return "the application cannot be served\n" + "\n".join(problem.render() for problem in inspection.errors)
    try:
        limits_of(settings.scaling_limits, scaled_queues(inspection.app))
    except SettingsError as error:
        return str(error)
    return _late_stops(inspection.app, settings)


def _late_stops(app: App, settings: Settings) -> str:
    """Entries whose activities may take longer to stop than a worker."""
    for worker in app.workers.values():
        options = worker.worker_options
        grace = options.worker_stop_timeout.total_seconds() if "worker_stop_timeout" in options.explicit else 0.0
        if grace >= settings.worker_drain:
            return (
                f"{worker.file}:{worker.line}: {worker.id}: worker_stop_timeout ({grace:g} s) is not shorter than "
                f"worker_drain ({settings.worker_drain:g} s)\n"
                "    the worker would be killed while its activities may still finish: raise worker_drain"
            )
    return ""


def _import_for_workers(app: App) -> None:
    """Import what workers run, once for all of them; no runtime of Temporal is ever made here."""
    import uvloop  # noqa: F401
    from temporalio.runtime import Runtime

    import fleet.cli.logs
    import fleet.modules
    import fleet.worker.process
    import fleet.worker.queue_stats
    import fleet.worker.reach

    fleet.modules.preload(app)
    if app.http_services:
        import fleet.http
    Runtime.prevent_default()  # type: ignore[no-untyped-call]


def _open(supervisor: Supervisor, settings: Settings, root: Path) -> None:
    """Control socket, pid file and HTTP; the files are removed at the end, whoever comes to do it."""
    leftovers = supervisor.crew.leftovers
    where = settings.control_socket
    try:
        socket = Path(settings.control_socket).absolute() if settings.control_socket else default_socket(root)
        where = str(socket)
        supervisor.open(listen(socket), control.complete, control.handler(supervisor))
        leftovers.append(identity(socket))
        if settings.pid_file:
            pid_file = Path(settings.pid_file).absolute()
            where = str(pid_file)
            write_pid(pid_file)
            leftovers.append(identity(pid_file))
        if settings.listen is not None:
            where = "{}:{}".format(*settings.listen)
            listener = web.listen(*settings.listen)
            supervisor.open(listener, web.complete, web.handler(supervisor, _metrics(supervisor).page))
    except (FileInUse, NoRoom, OSError) as error:
        for leftover in leftovers:
            remove(*leftover)
        text = str(error)
        if isinstance(error, OSError):
            text = f"{where}: {error.strerror or error}"
            if error.errno in NO_SPACE:
                text += "\n    free some space there, or give another place"
        raise CommandError(text, CONFIGURATION) from None
    for leftover in leftovers:
        supervisor.at_end(partial(remove, *leftover))


def _remember(supervisor: Supervisor, settings: Settings, root: Path) -> None:
    """Take up the quarantine of the last supervisor. Its file is ours: nobody else has the control socket."""
    from fleet.server.datafile import state_folder

    # A second fleet of the application has a control socket of its own.
    socket = os.path.abspath(settings.control_socket) if settings.control_socket else ""
    mark = f"-{hashlib.sha256(os.fsencode(socket)).hexdigest()[:8]}" if socket else ""
    try:
        supervisor.crew.suspects.keep(state_folder(root) / f"quarantine{mark}.json")
    except RuntimeError:
        text = "runs in quarantine would be forgotten by a restart: this user has no home directory; set XDG_STATE_HOME"
        supervisor.journal.warn("forgotten", text)


def _metrics(supervisor: Supervisor) -> FleetMetrics:
    """The metrics of the fleet, which its workers take part in. Raises NoRoom, OSError."""
    directory = make_directory(supervisor.crew.target + 1)
    supervisor.at_end(partial(shutil.rmtree, directory, ignore_errors=True))
    supervisor.crew.metrics = directory
    metrics = FleetMetrics(directory, lambda: status_of(supervisor))
    supervisor.journal.listeners.append(metrics.noted)
    return metrics


def _leave(end: FleetEnd) -> int:
    if not end.signal:
        return end.code
    for stream in (sys.stdout, sys.stderr):
        # A full disk changes nothing about how the fleet has ended.
        with suppress(OSError):
            stream.flush()
    # Whoever waits for this process sees the truth: it ended by that signal.
    signal.signal(end.signal, signal.SIG_DFL)
    signal.raise_signal(end.signal)
    # The first process of a container is not ended by it.
    return 128 + end.signal


def _log(settings: Settings, **fields: object) -> logging.Handler:
    json = settings.log_format == "json" or (settings.log_format == "auto" and not stderr().is_terminal)
    handler: logging.Handler = JsonLines(**fields) if json else Lines()
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    level = getattr(logging, settings.log_level.upper())
    for name in ("fleet", "fleet.script"):
        logging.getLogger(name).setLevel(level)
    return handler


def _work(job: WorkerJob) -> int:
    """The life of a worker, in its process."""
    from fleet.metrics.work import STORE
    from fleet.worker.process import work
    from fleet.worker.reach import find_server
    from fleet.worker.telemetry import SdkMetrics

    from .known_errors import known_error
    from .logs import show_logs

    log = logging.getLogger("fleet.worker")
    level = getattr(logging, job.settings.log_level.upper())
    handler = _log(job.settings, worker=job.slot, pid=os.getpid())
    sdk = SdkMetrics(STORE) if job.metrics is not None else None
    if job.metrics is not None:
        STORE.attach(job.metrics, str(job.slot))
    show_logs(scripts=level, handler=handler, metrics=sdk.buffer if sdk is not None else None)
    reach = find_server(job.app)
    connector: Connector = reach.connect
    try:
        return work(job, connector, sdk)
    except Exception as error:
        known = known_error(error)
        if known is None:
            log.exception("worker %d fails", job.slot)
            return INTERNAL
        hint = f"\n(the address comes from {reach.origin})" if known.code == SERVER else ""
        log.error("worker %d cannot serve: %s%s", job.slot, known, hint)
        return known.code


def _report(settings: Settings, app: App, queues: list[TaskQueue], descriptor: int) -> int:
    """The life of the process that asks the server about the task queues."""
    from fleet.worker.queue_stats import report_queues
    from fleet.worker.reach import find_server

    from .logs import show_logs

    show_logs(scripts=logging.WARNING, handler=_log(settings, pid=os.getpid()))
    return report_queues(app, queues, find_server(app).connect, descriptor)
