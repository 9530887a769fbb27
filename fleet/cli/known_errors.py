"""Errors of the rooms below that a user can do something about, as messages and exit codes."""

from __future__ import annotations

import errno
import sys

from .exit import CONFIGURATION, FAILED, SERVER, CommandError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

# By the module that defines them: whoever raised one has imported it, and a quick command imports none of them.
_KNOWN = (
    ("fleet.server.errors", "ServerError", SERVER),
    ("fleet.worker.connect_error", "ConnectError", SERVER),
    ("temporalio.service", "RPCError", SERVER),
    ("fleet.worker.declared", "MissingSearchAttributes", CONFIGURATION),
    ("fleet.worker.options", "WorkerOptionsError", CONFIGURATION),
    ("fleet.worker.lifecycle", "StartError", CONFIGURATION),
    ("fleet.worker.lifecycle", "ServiceFailed", FAILED),
    ("fleet.lua.programs", "ScriptProblem", CONFIGURATION),
    ("fleet.registry.problems", "AppError", CONFIGURATION),
)


def known_error(error: Exception) -> CommandError | None:
    """The message and exit code for `error`, None when it is none of a user's making."""
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        where = f" for {error.filename}" if error.filename else ""
        return CommandError(f"no space is left{where}\n    free some, and try again", FAILED)
    if isinstance(error, ImportError):
        return CommandError(f"the installation of fleet does not work: {error}", CONFIGURATION)
    for module, name, code in _KNOWN:
        cls = getattr(sys.modules.get(module), name, None)
        if cls is not None and isinstance(error, cls):
            text = str(error)
            if name == "RPCError":
                text = f"the Temporal server refuses: {text}"
            return CommandError(text, code)
    return None
