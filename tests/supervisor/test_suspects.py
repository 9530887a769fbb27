"""The quarantine on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.supervisor.journal import Journal
from fleet.supervisor.page import Page
from fleet.supervisor.suspects import Suspects

RUNS = ["01a2b3c4-0000-4000-8000-1234567890ab", "01a2b3c4-0000-4000-8000-1234567890ac"]


def suspects(file: Path) -> tuple[Suspects, Page, Journal]:
    page, journal = Page(1), Journal()
    kept = Suspects(page.quarantine, journal)
    kept.keep(file)
    return kept, page, journal


def events(journal: Journal) -> list[str]:
    return [event["event"] for event in journal.recent]


def test_what_is_known_is_known_again(tmp_path: Path) -> None:
    file = tmp_path / "below" / "quarantine.json"
    first, page, _ = suspects(file)
    for run_id in (RUNS[0], RUNS[1], RUNS[1]):
        first.count(run_id, 0, "was in hand")
    again, other, journal = suspects(file)
    assert other.quarantine.counts() == page.quarantine.counts() == {RUNS[0]: 1, RUNS[1]: 2}
    assert [event["runs"] for event in journal.recent] == [[RUNS[1]]]
    other.quarantine.absolve(RUNS[0])
    again.save()
    assert again.release(RUNS[1]) and not again.release(RUNS[1])
    assert json.loads(file.read_text()) == {"runs": {}}
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "null", '{"runs": 2}', '{"runs": {"x": "2"}}', '{"runs": {"x": -1}}', "\0"]
)
def test_what_cannot_be_read_is_a_warning_and_written_anew(tmp_path: Path, text: str) -> None:
    file = tmp_path / "quarantine.json"
    file.write_text(text)
    kept, page, journal = suspects(file)
    assert events(journal) == ["forgotten"] and str(file) in journal.recent[0]["text"]
    assert page.quarantine.counts() == {}
    kept.count(RUNS[0], 0, "was in hand")
    assert json.loads(file.read_text()) == {"runs": {RUNS[0]: 1}}


def test_what_cannot_be_written_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept, page, journal = suspects(tmp_path / "file" / "quarantine.json")
    for _ in range(3):
        kept.count(RUNS[0], 0, "was in hand")
    assert sum("cannot be written" in event["text"] for event in journal.recent) == 1
    assert page.quarantine.counts() == {RUNS[0]: 3}
    assert kept.release(RUNS[0])
