"""Code as it is served: validated by a child, loaded here, numbered."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleet.registry import App

DEPLOYMENT = "TEMPORAL_DEPLOYMENT_NAME"
BUILD_ID = "TEMPORAL_WORKER_BUILD_ID"
BEHAVIOR = "TEMPORAL_DEFAULT_VERSIONING_BEHAVIOR"
"""What the environment says of the version of all workers; fleet/worker/version.py obeys it."""


@dataclass(frozen=True)
class Release:
    """An application that workers serve.

    Attributes:
        app: the application.
        generation: its number; the first is 1.
    """

    app: App
    generation: int


def refusal(app: App, environ: Mapping[str, str] = os.environ) -> str:
    """Why running workers of `app` must not get other code, "" when they may.

    environ: a deployment that it names stands in for what the entries say.
    """
    stays = "versioned and pinned: its runs stay with the build that they began with"
    if environ.get(DEPLOYMENT):
        if environ.get(BEHAVIOR) != "pinned":
            return ""
        return (
            f"the worker deployment {environ[DEPLOYMENT]} is {stays} ({BEHAVIOR})\n"
            f"    start a second fleet with another {BUILD_ID}, and drain this one when its runs have ended"
        )
    for worker in app.workers.values():
        options = worker.worker_options
        if options.use_versioning and options.default_versioning_behavior == "pinned":
            return (
                f"{worker.id} is {stays}\n"
                "    start a second fleet with another build_id, and drain this one when its runs have ended"
            )
    return ""


class Validation:
    """A child process that looks for what is wrong with the application on disk.

    Attributes:
        pid: of the child.
        descriptor: where its findings come from.
        descriptors: what other children close.
    """

    def __init__(self, validate: Callable[[], str], fork: Callable[[Callable[[], int]], int]) -> None:
        self.descriptor, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.descriptor, False)
        self._text = b""

        def work() -> int:
            problems = validate().encode()
            with os.fdopen(write, "wb") as file:
                file.write(problems)
            return 1 if problems else 0

        try:
            self.pid = fork(work)
        finally:
            os.close(write)

    def read(self) -> bool:
        """Take what has come; True when there will be no more."""
        while True:
            try:
                piece = os.read(self.descriptor, 1 << 16)
            except BlockingIOError:
                return False
            if not piece:
                return True
            self._text += piece

    def finish(self, code: int) -> str:
        """The findings, "" when there are none; `code` is how the child ended."""
        self.read()
        os.close(self.descriptor)
        text = self._text.decode(errors="replace")
        return text if text or code == 0 else f"the validation itself ended with code {code}"
