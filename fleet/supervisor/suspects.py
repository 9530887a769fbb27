"""Runs in whose tasks workers went down: counted, kept from running, remembered when the supervisor is begun again."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .journal import Journal
from .page import QUARANTINED_FROM, Quarantine


class Suspects:
    """The supervisor's side of the quarantine."""

    def __init__(self, table: Quarantine, journal: Journal) -> None:
        self._table = table
        self._journal = journal
        self._file: Path | None = None
        self._saved: dict[str, int] = {}
        self._problem = ""

    def count(self, run_id: str, slot: int, where: str) -> None:
        """A worker went down in a task of the run: `where` says how, after "run ID"."""
        count = self._table.add(run_id)
        self.save()
        text = f"run {run_id} {where}, number {count}"
        self._journal.error("suspect", text, slot=slot, run_id=run_id, count=count)
        if count == QUARANTINED_FROM:
            text = f"run {run_id} is in quarantine: its tasks are failed unrun, until `fleet release {run_id}`"
            self._journal.error("quarantine", text, run_id=run_id, count=count)

    def release(self, run_id: str) -> bool:
        """Let the tasks of a run be run again; False when it is not known."""
        released = self._table.release(run_id)
        if released:
            self.save()
            self._journal.note("release", f"run {run_id} is let out of quarantine", run_id=run_id)
        return released

    def keep(self, file: Path) -> None:
        """Take up what an earlier supervisor has left in `file`, and leave there what is known from now on."""
        self._file = file
        try:
            runs = _read(file)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            # Whatever it is, it is replaced: a warning that comes again at each start helps nobody.
            text = f"which runs are in quarantine is not known any more: {file} cannot be read ({error})"
            self._journal.warn("forgotten", text)
            return
        for run_id, count in runs.items():
            self._table.add(run_id, count)
        self._saved = runs
        held = [run_id for run_id, count in runs.items() if count >= QUARANTINED_FROM]
        if held:
            text = f"still in quarantine from before: {', '.join(held)}; `fleet release ID` lets one go on"
            self._journal.warn("remembered", text, runs=held)

    def save(self) -> None:
        """Bring the file up to date; workers absolve suspects without a word, so that somebody has to look."""
        counts = self._table.counts()
        if self._file is None or counts == self._saved:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            # Not synced: a disk that does not answer must not hold up the one thread of the supervisor, and what a
            # machine forgets when it loses power is found out again.
            draft.write_text(json.dumps({"runs": counts}) + "\n")
            draft.replace(self._file)
        except OSError as error:
            problem = f"runs in quarantine would be forgotten by a restart: {self._file} cannot be written ({error})"
            if problem != self._problem:
                self._journal.warn("forgotten", problem)
            self._problem = problem
            return
        self._saved, self._problem = counts, ""


def _read(file: Path) -> dict[str, int]:
    """Runs with how many workers went down in each. Raises OSError, ValueError."""
    content = json.loads(file.read_bytes())
    runs = content.get("runs") if isinstance(content, dict) else None
    if not isinstance(runs, dict) or not all(type(count) is int and count > 0 for count in runs.values()):
        raise ValueError("it is not what a supervisor writes")
    return runs
