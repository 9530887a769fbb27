"""Where the values of variables are kept: the run-time side of ``env.storage.*`` (spec/registry.md, section 7)."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from . import dotenv


class EnvError(Exception):
    """A failed access to the environment; ``kind`` is the error kind that Lua code sees."""

    kind = "INTERNAL"


class EnvReadOnly(EnvError):
    """A variable or storage that cannot be written."""

    kind = "PERMISSION_DENIED"


class Storage(Protocol):
    """Named texts. ``get`` returns None for what is not there; ``set`` raises EnvReadOnly where nothing is written."""

    def get(self, key: str) -> str | None: ...

    def set(self, key: str, value: str) -> None: ...


@dataclass(slots=True)
class MemoryStorage:
    """Values of this process; worker processes do not share them."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, key: str) -> str | None:
        return self.values.get(key)

    def set(self, key: str, value: str) -> None:
        self.values[key] = value


@dataclass(frozen=True, slots=True)
class FixedStorage:
    """Values that are only read: those of the YAML, or of the operating system."""

    id: str
    values: Mapping[str, str]

    def get(self, key: str) -> str | None:
        return self.values.get(key)

    def set(self, key: str, value: str) -> None:
        raise EnvReadOnly(f"storage {self.id} is read-only")


@dataclass(slots=True)
class FileStorage:
    """A dotenv file that several processes may read and write at the same time."""

    id: str
    path: Path
    auto_create: bool = False
    file_mode: int = 0o644
    dir_mode: int = 0o755
    _seen: tuple[int, int, int] | None = None
    _values: dict[str, str] = field(default_factory=dict)

    def get(self, key: str) -> str | None:
        return self._read().get(key)

    def set(self, key: str, value: str) -> None:
        try:
            if self.auto_create:
                self.path.parent.mkdir(mode=self.dir_mode, parents=True, exist_ok=True)
            elif not self.path.exists():
                raise self._missing()
            with self._locked():
                before = self.path.read_text("utf-8") if self.path.exists() else ""
                self._replace(dotenv.with_value(before, key, value))
        except OSError as error:
            raise EnvError(f"storage {self.id}: {self.path} cannot be written: {error.strerror}") from error

    def check(self) -> None:
        """Raises EnvError when the file cannot be read."""
        self._read()

    def _read(self) -> dict[str, str]:
        try:
            status = self.path.stat()
            # Another process may have written it; inode as well, because writes replace the file.
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._values = dotenv.parse(self.path.read_text("utf-8"))
                self._seen = seen
        except FileNotFoundError:
            if not self.auto_create:
                raise self._missing() from None
            return {}
        except dotenv.DotenvError as error:
            raise EnvError(f"storage {self.id}: {self.path}: {error}") from None
        except UnicodeDecodeError:
            raise EnvError(f"storage {self.id}: {self.path} is not UTF-8 text") from None
        except OSError as error:
            raise EnvError(f"storage {self.id}: {self.path} cannot be read: {error.strerror}") from error
        return self._values

    def _missing(self) -> EnvError:
        return EnvError(f"storage {self.id}: file {self.path} does not exist, and auto_create is not set")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(self.path.with_name(self.path.name + ".lock"), "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _replace(self, text: str) -> None:
        # A reader sees the old file or the new one, never a half.
        mode = self.path.stat().st_mode & 0o7777 if self.path.exists() else self.file_mode
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, mode)
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@dataclass(frozen=True, slots=True)
class RouterStorage:
    """Several storages: the first that has a value is read, the very first is written."""

    storages: Sequence[Storage]

    def get(self, key: str) -> str | None:
        for storage in self.storages:
            # An empty value counts as unset, here as everywhere.
            if value := storage.get(key):
                return value
        return None

    def set(self, key: str, value: str) -> None:
        self.storages[0].set(key, value)
