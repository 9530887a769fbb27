"""The way in: picks the command, turns errors into messages and exit codes, and ends the process."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import fleet

from .exit import EXIT_CODES, INTERNAL, INTERRUPTED, OK, USAGE, CommandError, leave

COMMANDS = {
    "dev": "run an application with its own Temporal server, and reload it when a file is saved",
    "run": "start a workflow, wait for it, and print its result as JSON",
    "call": "call a function here, without Temporal, and print its result as JSON",
    "check": "find what is wrong with an application before it runs",
    "replay": "check that recorded histories still fit the code",
    "test": "run the application's own tests",
    "supervise": "serve an application with a fleet of worker processes, and keep them alive",
    "status": "show the workers of a running fleet",
    "top": "show a running fleet live",
    "reload": "let a running fleet validate and serve the new code",
    "scale": "change the number of workers of a running fleet",
    "drain": "end a running fleet when its tasks are finished",
    "release": "let a workflow run out of quarantine",
    "config": "print the effective settings of `fleet supervise`, and where each comes from",
}

_EPILOG = f"""\
an application is a directory with YAML entries and Lua files. Start here:
  fleet check examples/orders      is it all right?
  fleet dev examples/orders        serve it, with a Temporal server and its web UI
  fleet run ENTRY ... --app APP    in another terminal: start one of its workflows

`fleet COMMAND --help` tells more.

{EXIT_CODES}

environment:
  TEMPORAL_ADDRESS    host:port of the Temporal server for run and replay
  TEMPORAL_NAMESPACE  its namespace
  NO_COLOR            no colours
  FLEET_DEBUG=1       show Python tracebacks of errors"""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line `argv` (default: that of the process) and end the process with its exit code."""
    leave(_run(sys.argv[1:] if argv is None else argv))


def _run(argv: Sequence[str]) -> int:
    try:
        return _dispatch(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return OK
    except CommandError as error:
        return _tell(error, error.code)
    except Exception as error:
        return _unexpected(error)


def _dispatch(argv: Sequence[str]) -> int:
    parser = _parser()
    if not argv:
        parser.print_help()
        return OK
    if argv[0].startswith("-"):
        parser.parse_args(argv)
        return OK
    name, *rest = argv
    if name not in COMMANDS:
        from fleet.registry.problems import did_you_mean

        parser.error(f"unknown command {name!r}: {did_you_mean(name, COMMANDS)}")
    command = importlib.import_module(f"fleet.cli.{name}")
    own = argparse.ArgumentParser(
        prog=f"fleet {name}",
        description=COMMANDS[name][0].upper() + COMMANDS[name][1:] + ".",
        epilog=command.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(own)
    # Not sub-parsers: those refuse an option between two positional arguments.
    code: int = command.run(own.parse_intermixed_args(rest))
    return code


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="fleet",
        usage="fleet COMMAND ...",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Durable Lua workflows on Temporal.\n\ncommands:\n{lines}",
    )
    parser.add_argument("--version", action="version", version=f"fleet {fleet.__version__}")
    return parser


def _unexpected(error: Exception) -> int:
    """The errors of the rooms below that are the user's business, and then our own."""
    from .known_errors import known_error

    known = known_error(error)
    if known is not None:
        return _tell(known, known.code, error)
    from .output import say, say_error

    where = traceback.extract_tb(error.__traceback__)[-1]
    say_error(f"internal error: {type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})")
    if not _debug(error):
        say("    this is a bug in fleet; FLEET_DEBUG=1 shows the traceback that a report of it needs")
    return INTERNAL


def _tell(error: CommandError, code: int, source: Exception | None = None) -> int:
    from .output import say_error

    if str(error):
        # The exit code tells, even where the message finds no room.
        with contextlib.suppress(OSError):
            say_error(str(error))
    _debug(source or error)
    return code


def _debug(error: Exception) -> bool:
    wanted = bool(os.environ.get("FLEET_DEBUG"))
    if wanted:
        traceback.print_exception(error)
    return wanted
