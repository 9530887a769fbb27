"""A command on a terminal of its own: a pty, with a little of what a terminal emulator does."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from supervised import until


class Terminal:
    """What a command writes to its terminal, and the keys for it."""

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.output = b""
        self._descriptor = descriptor
        self._ended = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def resize(self, lines: int, columns: int) -> None:
        """As an emulator does: the kernel sends SIGWINCH."""
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def modes(self) -> list[Any]:
        """How the terminal treats keys and output."""
        return termios.tcgetattr(self._descriptor)

    def until(self, text: str, after: int = 0) -> int:
        """Wait for a text beyond a position in the output; the position of its end."""
        until(lambda: text.encode() in self.output[after:], lambda: self.output.decode(errors="replace"))
        return self.output.index(text.encode(), after) + len(text)

    def wait(self) -> int:
        """The exit code, once all output is there."""
        code = self.process.wait(60)
        until(lambda: not select.select([self._descriptor], [], [], 0)[0])
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._ended = True
        self._reader.join()

    def _read(self) -> None:
        while not self._ended:
            if select.select([self._descriptor], [], [], 0.05)[0]:
                self.output += os.read(self._descriptor, 1 << 16)


@contextmanager
def on_terminal(
    arguments: list[str], environ: dict[str, str], lines: int = 40, columns: int = 130
) -> Iterator[Terminal]:
    """Run a command on a terminal of that size. The terminal outlives it, as a shell's does."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        arguments, stdin=slave, stdout=slave, stderr=slave, env=environ, preexec_fn=take_terminal
    )
    terminal = Terminal(master, process)
    try:
        yield terminal
    finally:
        terminal.close()
        os.close(master)
        os.close(slave)
