"""``fleet replay APP HISTORY...``."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict

import uvloop
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from fleet.registry import App
from fleet.replay import HistoryError, Job, ReplayReport, fetch_histories, history_files, replay_all
from fleet.worker.reach import find_server
from fleet.worker.run_failure import indented

from .apps import add_app_argument, open_app
from .exit import CONFIGURATION, FAILED, OK, CommandError, UsageError
from .logs import be_quiet
from .loop import run_async
from .output import on_terminal, stderr, stdout, write
from .servers import add_server_options, client_of, connect_or_explain

EPILOG = """\
A history is a file as `temporal workflow show --output json` or the web UI's Download writes it (JSON), or a protobuf
temporal.api.history.v1.History; a directory stands for the histories in it. Exit code 1 when one does not fit.

  temporal workflow show --workflow-id order-1 --output json > order-1.json
  fleet replay examples/orders order-1.json
  fleet replay examples/orders --query 'WorkflowType = "app:order_workflow" AND ExecutionStatus = "Running"'"""

_WORDS = {"ok": "ok", "nondeterminism": "DIFFERS", "failed": "FAILED", "error": "ERROR"}
_STYLES = {"ok": "green", "nondeterminism": "bold red", "failed": "bold red", "error": "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_app_argument(parser, nargs=None)
    parser.add_argument("histories", metavar="HISTORY", nargs="*", help="history file, or directory of them")
    parser.add_argument("--workflow-id", metavar="ID", action="append", default=[], help="its latest run on the server")
    parser.add_argument("--query", metavar="QUERY", help="all runs on the server that a visibility query finds")
    add_server_options(parser)
    parser.add_argument("--client", metavar="ENTRY", help="temporal.client to connect with, when there are several")
    parser.add_argument("-j", "--jobs", type=_positive, metavar="N", default=0, help="processes (default: by need)")
    parser.add_argument("--repeat", type=_positive, metavar="N", default=1, help="replay each N times (median time)")
    parser.add_argument("--json", action="store_true", help="a JSON object per history and line on stdout")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Print a line for each history; FAILED when one does not fit."""
    if not (args.histories or args.workflow_id or args.query):
        raise UsageError("nothing to replay: give history files, --workflow-id or --query")
    app = open_app(args.app)
    if not app.workflows:
        raise CommandError(f"the application {args.app} has no workflows", CONFIGURATION)
    be_quiet()
    return run_async(_replay(args, app), uvloop.new_event_loop())


async def _replay(args: argparse.Namespace, app: App) -> int:
    jobs = [job async for job in _jobs(args, app)]
    if not jobs:
        raise CommandError("no run on the server matches the query", FAILED)
    counts: Counter[str] = Counter()
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn())
    # On the console of the lines when that is a terminal, so that lines and bar keep out of each other's way.
    console = stdout() if stdout().is_terminal else stderr()
    with Progress(*columns, console=console, transient=True, disable=not on_terminal() or len(jobs) < 2) as progress:
        task = progress.add_task("", total=len(jobs))
        async for job, report in replay_all(
            app, jobs, namespace=args.namespace, repeat=args.repeat, processes=args.jobs
        ):
            counts[report.status] += 1
            progress.advance(task)
            _tell_json(job, report) if args.json else _tell(job, report)
    if not args.json:
        _summary(counts)
    return OK if counts["ok"] == len(jobs) else FAILED


async def _jobs(args: argparse.Namespace, app: App) -> AsyncIterator[Job]:
    try:
        for path in history_files(args.histories):
            yield Job(str(path), path)
    except HistoryError as error:
        raise UsageError(str(error)) from None
    if args.workflow_id or args.query:
        reach = find_server(app, address=args.address, namespace=args.namespace)
        client = await connect_or_explain(reach, client_of(app, args.client))
        async for history in fetch_histories(client, args.workflow_id, args.query):
            yield Job(history.workflow_id, history=history)


def _tell(job: Job, report: ReplayReport) -> None:
    word = f"{_WORDS[report.status]:<8}"
    if report.status == "ok":
        ran = f"{report.workflow_type}, {report.activations} activations, {report.seconds * 1000:.1f} ms"
        write(f"{word} {job.name}  {ran}")
        return
    run = f"  {report.workflow_type} {report.workflow_id} run {report.run_id}" if report.run_id else ""
    write(f"{word} {job.name}{run}", _STYLES[report.status])
    if report.divergence is not None:
        write(f"    {report.divergence.render()}")
    text = report.message.removeprefix(f"{job.name}: ")
    write(f"    {'Temporal says: ' if report.status == 'nondeterminism' else ''}{text}")
    stack = report.divergence.stack if report.divergence is not None else report.stack
    if stack:
        write(indented(stack).removeprefix("\n"), "dim")


def _tell_json(job: Job, report: ReplayReport) -> None:
    facts = {
        "file": job.name,
        "workflow_id": report.workflow_id,
        "run_id": report.run_id,
        "workflow_type": report.workflow_type,
        "status": report.status,
        "lane": report.lane,
        "activations": report.activations,
        "seconds": report.seconds,
    }
    if report.status != "ok":
        facts["message"] = report.message
    if report.stack:
        facts["stack"] = report.stack
    if report.divergence is not None:
        facts["divergence"] = asdict(report.divergence)
    sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")


def _summary(counts: Counter[str]) -> None:
    total = sum(counts.values())
    parts = [f"{counts['ok']} ok"]
    parts += [
        f"{counts[status]} {words}"
        for status, words in (("nondeterminism", "different"), ("failed", "failed"), ("error", "not replayed"))
        if counts[status]
    ]
    noun = "history" if total == 1 else "histories"
    write(f"{total} {noun}: {', '.join(parts)}", "bold green" if counts["ok"] == total else "bold red")
