"""The directory that an application is loaded from: which files it has, and reading them without leaving it."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".yaml", ".yml", ".json")
_SKIPPED = "node_modules"


class FileProblem(Exception):
    """A file that cannot be read; the text says which and why."""


@dataclass(slots=True)
class SourceTree:
    """Files below ``root``; paths are relative to it, with ``/``."""

    root: Path
    _texts: dict[str, str] = field(default_factory=dict)

    def registry_files(self) -> Iterator[str]:
        """Every YAML and JSON file, in order of path.

        ``node_modules`` is skipped, and directories whose name begins with a dot (``.git``, ``.venv``): a mounted
        Kubernetes ConfigMap keeps a second copy of all its files in such a directory.
        """
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name != _SKIPPED and not name.startswith("."))
            for name in sorted(files):
                if name.endswith(SUFFIXES) and not name.startswith("."):
                    yield Path(folder, name).relative_to(self.root).as_posix()

    def resolve(self, url: str, referrer: str) -> str:
        """The path that a ``file://`` value in the file ``referrer`` names (spec/registry.md, section 1).

        ``file://x`` is relative to the directory of ``referrer``, ``file:///x`` to the root.

        Raises:
            FileProblem: it leads out of the root, or names nothing.
        """
        target = url.removeprefix("file://")
        start = "" if target.startswith("/") else posixpath.dirname(referrer)
        path = posixpath.normpath(posixpath.join(start, target.lstrip("/") if not start else target))
        if not target.strip("/") or "\0" in target:
            raise FileProblem(f"{url} names no file")
        if path == ".." or path.startswith("../"):
            raise FileProblem(f"{url} leads out of the application's directory")
        return path

    def read(self, path: str) -> str:
        """The text of a file, UTF-8, a byte order mark removed. Read once per load.

        Raises:
            FileProblem: it is missing, unreadable, not UTF-8, or a link that leads out of the root.
        """
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> str:
        place = self.root / path
        try:
            # Symbolic links inside the root are fine (that is how ConfigMaps are mounted); out of it they are not.
            if not place.resolve(strict=True).is_relative_to(self.root.resolve()):
                raise FileProblem(f"{path} is a link that leads out of the application's directory")
            return place.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            raise FileProblem(f"file {path} does not exist") from None
        except UnicodeDecodeError as error:
            raise FileProblem(
                f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} at offset {error.start})"
            ) from None
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise FileProblem(f"{path} cannot be read: {reason}") from None
