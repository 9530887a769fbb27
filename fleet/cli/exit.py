"""Exit codes, errors that are told without a traceback, and the one way out of the process."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

OK = 0
FAILED = 1
USAGE = 2
CONFIGURATION = 3
SERVER = 4
INTERNAL = 70
INTERRUPTED = 130
TERMINATED = 143

EXIT_CODES = """\
exit codes:
  0    success
  1    what was run failed: workflow, function, tests, check or replay; or its result could not be written
  2    wrong use of the command line
  3    configuration error: the application does not load
  4    Temporal cannot be reached, or the embedded server is in trouble
  70   an error of fleet itself
  130  ended by Ctrl-C (143: by SIGTERM)"""


class CommandError(Exception):
    """Ends a command: ``message`` says what is wrong (further lines: what to do), ``code`` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class UsageError(CommandError):
    """The command line is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message, USAGE)


def leave(code: int) -> NoReturn:
    """End the process now, with everything written.

    The ordinary end of a Python process that ran a Temporal worker crashes in one of ten cases, after its work is
    done; who judges a command by its exit code must not see that.
    """
    try:
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        # The reader of the pipe may have gone; its own exit code tells.
        pass
    except OSError as error:
        # Nobody has the result, so that this was no success.
        code = code or FAILED
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"error: the result cannot be written: {error.strerror}\n")
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)
