"""``fleet test APP``."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fleet.registry import App, FunctionEntry, parse_duration
from fleet.worker.dev import embedded_server, serve_embedded
from fleet.worker.reach import find_server
from fleet.worker.serve import ServiceOptions, Serving, serve
from fleet.worker.suite import Filter, TestResult, run_tests, tests_of

from .apps import add_app_argument, open_app
from .exit import FAILED, OK, CommandError, UsageError
from .junit import write_junit
from .logs import show_logs
from .loop import run_async
from .output import stdout, write
from .servers import add_server_options

EPILOG = """\
A test is a function.lua entry with `meta.type: test`. It is called without arguments while the application is served
on an embedded server (or on that of --address), and fails if it raises, returns false, or returns a second value that
is an error or a string.

  fleet test examples/orders --filter suite=payment --junit report.xml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_app_argument(parser)
    parser.add_argument(
        "--filter",
        metavar="KEY=VALUE",
        type=_filter,
        action="append",
        default=[],
        help="only tests whose meta has this (suite=payment); may be repeated, all must match",
    )
    parser.add_argument("--junit", metavar="FILE", help="write JUnit XML there")
    parser.add_argument("--timeout", metavar="DURATION", default="1m", help="for each test (default: 1m)")
    add_server_options(parser)


def _filter(text: str) -> Filter:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return Filter(key, value)


def run(args: argparse.Namespace) -> int:
    """Print a line for each test; FAILED when one failed."""
    try:
        limit = parse_duration(args.timeout).total_seconds()
    except ValueError:
        raise UsageError(f"--timeout {args.timeout} is not a duration such as 30s or 5m") from None
    app = open_app(args.app)
    tests = tests_of(app, args.filter)
    if not tests:
        filters = " ".join(f"{filter.key}={filter.value}" for filter in args.filter)
        known = ", ".join(entry.id for entry in tests_of(app)) or "none"
        what = f"no test matches --filter {filters}" if filters else "the application has no tests"
        raise UsageError(f"{what}\n    a test is a function.lua entry with meta.type: test; there are: {known}")
    show_logs()
    return run_async(_test(args, app, tests, limit))


async def _test(args: argparse.Namespace, app: App, tests: Sequence[FunctionEntry], limit: float) -> int:
    results = []
    async with _serving(app, args) as serving:
        async for result in run_tests(serving.functions, tests, limit=limit):
            results.append(result)
            _tell(result)
    failed = sum(1 for result in results if result.failure is not None)
    seconds = sum(result.seconds for result in results)
    write(f"{len(results) - failed} passed, {failed} failed in {seconds:.2f} s", "bold red" if failed else "bold green")
    if args.junit:
        try:
            write_junit(Path(args.junit), app.root.name, results)
        except OSError as error:
            raise CommandError(f"cannot write {args.junit}: {error.strerror}", FAILED) from None
    return FAILED if failed else OK


@asynccontextmanager
async def _serving(app: App, args: argparse.Namespace) -> AsyncIterator[Serving]:
    if args.address:
        reach = find_server(app, address=args.address, namespace=args.namespace)
        async with serve(app, reach.connect, services=ServiceOptions(loopback=True)) as serving:
            yield serving
    else:
        async with embedded_server(app) as server, serve_embedded(app, server) as serving:
            yield serving


def _tell(result: TestResult) -> None:
    time = f"{result.seconds * 1000:.0f} ms"
    if result.failure is None:
        write(f"ok    {result.entry.id}  {time}", "green" if stdout().is_terminal else "")
    else:
        entry = result.entry
        write(f"FAIL  {entry.id}  {time}  ({entry.source.file}:{entry.source.line})", "bold red")
        write(f"    {result.failure.render()}")
