"""fleet top on a real terminal: it draws, follows keys and size, and leaves the terminal as it was."""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from supervised import ROOT, OddFleet
from terminal import Terminal, on_terminal

SCREEN, BACK = "\x1b[?1049h", "\x1b[?1049l"
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"
Odd = Callable[..., OddFleet]


def top(fleet: OddFleet, interval: str = "0.2", **size: int) -> AbstractContextManager[Terminal]:
    command = [sys.executable, "-m", "fleet", "top", "--control-socket", str(fleet.socket), "--interval", interval]
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return on_terminal(command, {**environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}, **size)


def is_clean(terminal: Terminal, before: list[object]) -> bool:
    """Whether the picture is gone, the cursor is there, and keys are echoed in lines again."""
    text = terminal.output.decode()
    return (
        text.rindex(BACK) > text.rindex(SCREEN)
        and text.rindex(SHOWN) > text.rindex(HIDDEN)
        and terminal.modes() == before
    )


@pytest.mark.parametrize(("end", "code"), [("q", 0), ("\x03", 130), (signal.SIGTERM, 143)])
def test_it_draws_until_it_is_told_and_leaves_the_terminal_as_it_was(odd: Odd, end: str | int, code: int) -> None:
    fleet = odd({1: "fine"}).wait_ready(2)
    with top(fleet) as terminal:
        before = terminal.modes()
        at = terminal.until("2 of 2 workers serve")
        assert SCREEN in terminal.output.decode()
        assert not terminal.modes()[3] & termios.ECHO
        fleet.ask("scale", workers=1)
        at = terminal.until("1 of 1 workers serve", at)
        terminal.press("xy\x1a")
        terminal.until("1 of 1 workers serve", at)
        if isinstance(end, str):
            terminal.press(end)
        else:
            terminal.process.send_signal(end)
        assert terminal.wait() == code
        assert is_clean(terminal, before)
        assert "Traceback" not in terminal.output.decode()


def test_a_key_looks_at_once(odd: Odd) -> None:
    fleet = odd({1: "fine"}).wait_ready(2)
    with top(fleet, interval="3600") as terminal:
        at = terminal.until("2 of 2 workers serve")
        terminal.press(" ")
        terminal.until(" %", at)


def test_it_follows_the_size_of_the_terminal(odd: Odd) -> None:
    fleet = odd({1: "fine"}).wait_ready(2)
    with top(fleet, lines=40, columns=130) as terminal:
        at = terminal.until("restarts")
        terminal.resize(8, 40)
        # One picture is whatever is between two jumps to the corner.
        at = terminal.until("\x1b[H", at)
        pictures = []
        while len(pictures) < 3:
            end = terminal.until("\x1b[H", at)
            pictures.append(terminal.output[at:end].decode())
            at = end
        rows = pictures[-1].splitlines()
        assert len(rows) <= 9 and "restarts" not in pictures[-1]


def test_it_ends_with_the_fleet(odd: Odd) -> None:
    fleet = odd({1: "fine"}).wait_ready(2)
    with top(fleet) as terminal:
        before = terminal.modes()
        terminal.until("2 of 2 workers serve")
        fleet.stop()
        assert terminal.wait() == 1
        assert is_clean(terminal, before)
        _, _, last = terminal.output.decode().rpartition(BACK)
        assert "no fleet runs here" in last or "the fleet has ended" in last
