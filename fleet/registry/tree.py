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

    def registry_files(self) -> list[str]:
        """Every YAML and JSON file, sorted by path.

        ``node_modules`` is skipped, and what begins with a dot (``.git``, ``.venv``): a mounted Kubernetes ConfigMap
        keeps its files in such a directory, and links to them and to their directories beside it.

        Raises:
            FileProblem: a directory cannot be read, or is a link that leads out of the root.
        """
        return sorted(self._files("", {os.path.realpath(self.root)}))

    def _files(self, folder: str, seen: set[str]) -> Iterator[str]:
        try:
            found = sorted(os.scandir(self.root / folder), key=lambda item: item.name)
        except OSError as error:
            raise FileProblem(f"directory {folder or '.'} cannot be read: {error.strerror}") from None
        for item in found:
            path = posixpath.join(folder, item.name)
            if item.name.startswith(".") or item.name == _SKIPPED:
                continue
            if os.path.isdir(item.path):  # unlike item.is_dir() quiet about links that lead in circles
                self._stay_inside(path)
                real = os.path.realpath(item.path)
                if real not in seen:  # a directory that several links lead to has its entries once
                    seen.add(real)
                    yield from self._files(path, seen)
            elif item.name.endswith(SUFFIXES):
                yield path

    def _stay_inside(self, path: str) -> None:
        if not (self.root / path).resolve().is_relative_to(self.root.resolve()):
            raise FileProblem(f"{path} is a link that leads out of the application's directory")

    def resolve(self, url: str, referrer: str) -> str:
        """The path that a ``file://`` value in the file ``referrer`` names (spec/registry.md, section 1).

        ``file://x`` is relative to the directory of ``referrer``, ``file:///x`` to the root.

        Raises:
            FileProblem: it leads out of the root, or names nothing.
        """
        target = url.removeprefix("file://")
        if not target.strip("/") or "\0" in target:
            raise FileProblem(f"{url} names no file")
        start = "" if target.startswith("/") else posixpath.dirname(referrer)
        path = posixpath.normpath(posixpath.join(start, target.lstrip("/")))
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
        try:
            # Symbolic links inside the root are fine (that is how ConfigMaps are mounted); out of it they are not.
            self._stay_inside(path)
            return (self.root / path).read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            raise FileProblem(f"file {path} does not exist") from None
        except UnicodeDecodeError as error:
            raise FileProblem(
                f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} at offset {error.start})"
            ) from None
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise FileProblem(f"{path} cannot be read: {reason}") from None
