"""HUP: new code is validated by a child, loaded, and rolled out; what does not work leaves the old code running."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

from fleet.registry import AppError

from .crew import Crew
from .forking import fork
from .job import Program
from .journal import Journal
from .release import Release, Validation, refusal
from .settings import Settings, SettingsError, names
from .worker import Death, Worker

SERVER = 4
"""Exit code of a worker that does not reach Temporal (fleet/cli/exit.py): no fault of the new code."""

_FIXED = ("cpus", "listen", "control_socket", "pid_file", "log_format", "log_level")
"""Settings that a running supervisor does not change."""

Done = Callable[[str], None]
"""Called at the end of a reload, with "" or why it failed."""


class Reloading:
    """At most one reload at a time; one that is asked for meanwhile begins after it."""

    def __init__(
        self,
        program: Program,
        crew: Crew,
        journal: Journal,
        private: Callable[[], list[int]],
        begun: Callable[[], None],
    ) -> None:
        """`private`: descriptors that a child must not keep open. `begun`: called when a reload begins."""
        self._program = program
        self._crew = crew
        self._journal = journal
        self._private = private
        self._begun = begun
        self._validation: Validation | None = None
        self._before: Release | None = None
        self._waiting: list[Done] = []
        self._next: list[Done] = []
        self._again = False

    @property
    def active(self) -> bool:
        """Whether one is under way."""
        return self._validation is not None or self._before is not None

    @property
    def descriptors(self) -> list[int]:
        """What children close, and the loop may wait on."""
        return [self._validation.descriptor] if self._validation is not None else []

    @property
    def pids(self) -> set[int]:
        """Its child process, if there is one."""
        return {self._validation.pid} if self._validation is not None else set()

    def ask(self, done: Done) -> None:
        """Begin a reload, now or after the one under way."""
        why = refusal(self._crew.release.app)
        if why:
            self._begun()
            self._journal.warn("reload-refused", f"no reload: {why}")
            done(why)
            return
        if self.active:
            self._again = True
            self._next.append(done)
            return
        self._waiting.append(done)
        self._journal.note("reload", "reload: the application on disk is validated")
        self._begun()
        self._validation = Validation(self._program.validate, lambda work: fork(work, self._private()))

    def tick(self, now: float) -> None:
        """Go on."""
        if self._validation is not None:
            self._validation.read()
            pid, status = os.waitpid(self._validation.pid, os.WNOHANG)
            if pid:
                problems = self._validation.finish(os.waitstatus_to_exitcode(status))
                self._validation = None
                self._validated(problems, now)
        elif self._before is not None and self._crew.roll.idle:
            self._before = None
            text = f"all workers serve generation {self._crew.release.generation}"
            self._journal.note("reloaded", text, generation=self._crew.release.generation)
            self._finish("")

    def died(self, worker: Worker, death: Death, now: float) -> None:
        """A process has ended: when it was a first one of the new code that never served, go back to the old code."""
        if self._before is None or death.was_ready or death.ending is not None:
            return
        if death.generation != self._crew.release.generation or death.code == SERVER:
            return
        old = self._before
        self._crew.release = dataclasses.replace(old, generation=self._crew.release.generation + 1)
        self._before = None
        why = f"worker {worker.number} does not come to serve the new code ({death.how}); all go back to the old code"
        self._journal.error("rolled-back", why, slot=worker.number, generation=self._crew.release.generation)
        for other in self._crew.workers.values():
            # Those that still serve the old code go on under its new number.
            if other.pid and other.block.generation == old.generation:
                other.block.generation = self._crew.release.generation
        if worker.stands_in:
            self._crew.relieve()
        else:
            self._crew.begin_again(worker, now)
        self._crew.roll.replace_all(self._crew.workers, "reload")
        self._finish(why)

    def stop(self) -> None:
        """The fleet ends: whoever waits is told."""
        self._again = False
        self._finish("the fleet ends")

    def _validated(self, problems: str, now: float) -> None:
        if problems:
            self._keep(problems)
            return
        try:
            app, settings = self._program.load(), self._program.settings()
        except (AppError, SettingsError) as error:
            self._keep(str(error))
            return
        why = refusal(app) if app.content_hash != self._crew.release.app.content_hash else ""
        if why:
            self._keep(why)
            return
        self._apply(settings, now)
        self._before = self._crew.release
        self._crew.release = Release(app, self._before.generation + 1)
        text = f"the new code is valid; workers are replaced one at a time, generation {self._crew.release.generation}"
        self._journal.note("rolling", text, content_hash=app.content_hash)
        for worker in self._crew.workers.values():
            if not worker.pid:
                self._crew.begin_again(worker, now)
        self._crew.roll.replace_all(self._crew.workers, "reload")

    def _keep(self, why: str) -> None:
        self._journal.error("reload-invalid", f"not reloaded, the code from before goes on running: {why}")
        self._finish(why)

    def _apply(self, new: Settings, now: float) -> None:
        old = self._crew.settings
        changed = [name for name in names() if getattr(new, name) != getattr(old, name)]
        if not changed:
            return
        fixed = [name for name in changed if name in _FIXED]
        self._crew.settings = dataclasses.replace(new, **{name: getattr(old, name) for name in fixed})
        text = f"settings have changed: {', '.join(name for name in changed if name not in fixed) or 'none'}"
        if fixed:
            text += f"; only a new start takes up {', '.join(fixed)}"
        self._journal.note("settings", text)
        if "workers" in changed and new.workers is not None:
            self._crew.scale(new.workers, now)

    def _finish(self, outcome: str) -> None:
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(outcome)
        if self._again:
            self._again = False
            following, self._next = self._next, []

            def tell(result: str) -> None:
                for done in following:
                    done(result)

            self.ask(tell)
