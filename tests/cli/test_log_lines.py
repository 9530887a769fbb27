"""The log when stderr takes nothing: lines are lost and counted, nothing is said twice, and nobody fails over it."""

from __future__ import annotations

import errno
import json
import logging
import os

import pytest

from fleet.cli import log_lines
from fleet.cli.log_lines import JsonLines, Lines


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that stderr has room for; none once it is empty."""
    room = [1 << 20]
    write = os.write

    def limited(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(log_lines.os, "write", limited)
    return room


def say(handler: logging.Handler, text: str) -> None:
    handler.handle(logging.LogRecord("fleet.test", logging.INFO, "", 0, text, None, None))


def test_lines_that_a_full_disk_does_not_take_are_counted(disk: list[int], capfd: pytest.CaptureFixture[str]) -> None:
    handler = JsonLines(worker=1)
    say(handler, "first")
    disk[0] = 10
    say(handler, "torn")
    say(handler, "lost")
    disk[0] = 1 << 20
    say(handler, "last")
    first, torn, gap, last = capfd.readouterr().err.splitlines()
    assert json.loads(first)["message"] == "first"
    assert torn == '{"time":"2'
    facts = json.loads(gap)
    assert (facts["message"], facts["level"], facts["worker"]) == (
        "2 lines of the log are missing here: No space left on device",
        "warning",
        1,
    )
    assert json.loads(last)["message"] == "last"


def test_readable_lines_too(disk: list[int], capfd: pytest.CaptureFixture[str]) -> None:
    handler = Lines()
    disk[0] = 0
    say(handler, "lost")
    disk[0] = 1 << 20
    say(handler, "last")
    gap, last = capfd.readouterr().err.splitlines()
    assert gap.endswith("WARN  1 lines of the log are missing here: No space left on device")
    assert last.endswith("INFO  last")
