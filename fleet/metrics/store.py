"""Numbers that outlive the process that counts them: prometheus_client's multiprocess files, one set for each slot.

Each number is eight bytes of a file that is mapped into memory, so that what was counted before a ``kill -9`` is
there afterwards, and the next process of the slot goes on from it. prometheus_client's own values take a lock and
look the process id up at each increment, which is too slow for a workflow's hot path; the format of the files is its.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import struct
from collections.abc import Iterator
from ctypes import c_double
from pathlib import Path

log = logging.getLogger(__name__)

_INITIAL_BYTES = 1 << 18
SLOT_BYTES = 3 * _INITIAL_BYTES
"""What the files of a slot take at first: of counters, of gauges and of histograms."""

_MOST_BYTES = 16 << 20
"""Of one file: what senders name, such as activity types, adds up over the processes of a slot."""

_HEADER = 8
_LENGTH = struct.Struct("i")


class Cell:
    """One number.

    Attributes:
        number: where it is; ``number.value += x`` where the call of ``add`` would be felt.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = c_double()

    def add(self, amount: float = 1.0) -> None:
        """Add ``amount``."""
        # No lock: CPython switches threads at calls and backward jumps only, and there is none in this statement.
        self.number.value += amount

    def set(self, value: float) -> None:
        """Replace the number; for gauges."""
        self.number.value = value

    def get(self) -> float:
        """The number."""
        return self.number.value


class NumberFile:
    """A file of numbers by key, for one writing process at a time.

    The format: an int32 with the bytes in use, four bytes of nothing, then for each number an int32 with the length of
    the key, the key padded with blanks to a multiple of eight, and two doubles, the value and a time that stays 0.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises OSError, also when the disk is full."""
        if not path.exists():
            _create(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._map(os.fstat(self._descriptor).st_size)
        self._used = used_bytes(self._bytes)
        self._positions = dict(positions(self._bytes))

    def place(self, cell: Cell, key: str) -> None:
        """Make ``cell`` the number of ``key``; a new one is 0. Raises OSError when there is no room for it."""
        if key not in self._positions:
            self._append(key)
        cell.number = c_double.from_buffer(self._bytes, self._positions[key])

    def close(self) -> None:
        """Close the file; cells that are placed in it go on writing to it."""
        os.close(self._descriptor)

    def _append(self, key: str) -> None:
        encoded = key.encode()
        padded = encoded + b" " * _padding(len(encoded))
        entry = _LENGTH.pack(len(encoded)) + padded + bytes(16)
        while self._used + len(entry) > len(self._bytes):
            if len(self._bytes) >= _MOST_BYTES:
                raise OSError(errno.EFBIG, f"the file of a slot has at most {_MOST_BYTES >> 20} MiB")
            # Numbers that are placed already keep the smaller map: both show the same pages of the file.
            self._map(2 * len(self._bytes))
        # A reader, or the end of this process, may come at any moment: the entry counts once the length says so.
        self._bytes[self._used : self._used + len(entry)] = entry
        self._used += len(entry)
        self._bytes[0:4] = _LENGTH.pack(self._used)
        self._positions[key] = self._used - 16

    def _map(self, size: int) -> None:
        # Without blocks of its own a page that is written on a full disk is a SIGBUS; this is an error.
        os.posix_fallocate(self._descriptor, 0, size)
        self._bytes = mmap.mmap(self._descriptor, size)


def positions(data: bytes | mmap.mmap, start: int = _HEADER) -> Iterator[tuple[str, int]]:
    """The keys of a file's contents, from the position `start` on, and where their numbers are."""
    used = used_bytes(data)
    while start < used:
        length = _LENGTH.unpack_from(data, start)[0]
        key = data[start + 4 : start + 4 + length].decode()
        start += 4 + length + _padding(length)
        yield key, start
        start += 16


def used_bytes(data: bytes | mmap.mmap) -> int:
    """How many bytes of a file's contents are in use."""
    return max(int(_LENGTH.unpack_from(data, 0)[0]), _HEADER)


def _create(path: Path) -> None:
    """An empty file of numbers. It gets its name when it has its size: an empty one breaks the whole page."""
    unfinished = path.with_suffix(".new")
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, _INITIAL_BYTES)
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _padding(length: int) -> int:
    return 8 - (length + 4) % 8


class Store:
    """The numbers of one process. Until ``attach`` they are counted in its memory, for nobody."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], Cell] = {}
        self._files: dict[str, NumberFile] = {}
        self._where: tuple[Path, str] | None = None
        self._waiting: list[tuple[Cell, str, str]] = []
        self._is_told = False

    def attach(self, directory: Path, slot: str) -> None:
        """From now on count in the files of ``slot``, which no other process may be writing.

        Counters and histograms go on from what the files hold; gauges begin at 0, since they say what is the case
        now. What was counted before the call is dropped: it belongs to the parent. What has no room in a file is
        counted in memory, with one line in the log, until ``settle`` finds room.
        """
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._waiting.clear()
        forget_gauges(directory, slot)
        self._where = (directory, slot)
        for (kind, key), cell in self._cells.items():
            cell.number = c_double()
            self._place(cell, kind, key)

    def cell(self, kind: str, key: str) -> Cell:
        """The number of ``key`` in the file of ``kind`` (the part of its name before the slot)."""
        cell = self._cells.get((kind, key))
        if cell is None:
            cell = self._cells[kind, key] = Cell()
            self._place(cell, kind, key)
        return cell

    def settle(self) -> None:
        """Find room for the numbers that had none: what they have counted meanwhile is added. Quick without such."""
        while self._waiting:
            cell, kind, key = self._waiting[0]
            before = cell.number
            try:
                self._file(kind).place(cell, key)
            except OSError:
                return
            cell.number.value += before.value
            del self._waiting[0]
            if not self._waiting:
                self._is_told = False
                log.warning("there is space again for all metrics: what was missing at /metrics has been added")

    def _place(self, cell: Cell, kind: str, key: str) -> None:
        if self._where is None:
            return
        try:
            self._file(kind).place(cell, key)
        except OSError as error:
            # Work is worth more than its count.
            if not self._is_told:
                log.error("metrics that are new from now on are missing at /metrics: %s: %s", key, error)
            self._is_told = True
            # A file that is as large as it may be does not become smaller.
            if error.errno != errno.EFBIG:
                self._waiting.append((cell, kind, key))

    def _file(self, kind: str) -> NumberFile:
        file = self._files.get(kind)
        if file is None:
            assert self._where is not None
            directory, slot = self._where
            file = self._files[kind] = NumberFile(directory / f"{kind}_{slot}.db")
        return file


def forget_gauges(directory: Path, slot: str) -> None:
    """Remove what a process that has ended said of its present state. Its counters stay."""
    for path in directory.glob(f"gauge_*_{slot}.db"):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.error("what slot %s had last said of itself stays at /metrics: %s", slot, error)
