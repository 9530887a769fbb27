"""Runs the steps of the Dockerfile in plain root file systems: ``python build_image.py DIRECTORY``, as root, on Debian.

No container engine is needed, and none is replaced: there are no layers, no registry, no isolation of the build. The
base image is a Debian of the same name by debootstrap, with the Python of the distribution. What comes out is the root
file system of the last stage, DIRECTORY/root, and DIRECTORY/image.json with what an image says beside its files.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BASE = re.compile(r"python:3\.11-slim-bookworm")
PACKAGES = "ca-certificates,python3,python3-venv,python-is-python3,libpython3-dev"
"""What the base image has: a Python with its headers, as `python`; and no compiler."""
MIRROR = "http://deb.debian.org/debian"
_OF_THE_MACHINE = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs", "/etc/apt/apt.conf.d")
"""How the machine reaches packages. Its environment has the rest."""


@dataclass
class Stage:
    """A stage of the build: its files, and what later steps and the image take over."""

    root: Path
    environ: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}
    )
    arguments: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=lambda: {"workdir": "/", "user": "0:0", "labels": {}, "ports": []})

    def text(self, text: str) -> str:
        """With variables in place."""
        known = {**self.arguments, **self.environ}
        return re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], ""), text)


class Build:
    """The steps of a Dockerfile, as far as this one needs them; any other is an error."""

    def __init__(self, directory: Path, given: dict[str, str]) -> None:
        self._directory = directory
        self._given = given
        self._global: dict[str, str] = {}
        self._stages: dict[str, Stage] = {}
        self._now: Stage | None = None

    @property
    def stage(self) -> Stage:
        """The one that is being built."""
        assert self._now is not None, "a step before FROM"
        return self._now

    def run(self, dockerfile: str) -> Stage:
        """All steps; the last stage."""
        joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE))
        for line in filter(None, map(str.strip, joined.splitlines())):
            print(f"  {line[:110]}", flush=True)
            word, _, rest = line.partition(" ")
            getattr(self, f"_{word.lower()}")(rest.strip())
        return self.stage

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        arguments = self._global if self._now is None else self._now.arguments
        arguments[name] = self._given.get(name, default)

    def _from(self, rest: str) -> None:
        image, _, name = re.sub(r"\$\{(\w+)\}", lambda match: self._global[match[1]], rest).partition(" AS ")
        assert BASE.fullmatch(image), f"no base for {image}"
        name = name or "final"
        root = self._directory / name
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "--archive", "--reflink=auto", self._directory / "base", root], check=True)
        self._now = self._stages[name] = Stage(root)

    def _run(self, rest: str) -> None:
        stage = self.stage
        lines = ["mount --make-rprivate /", f"mount -t proc none {stage.root}/proc"]
        for path in filter(os.path.exists, _OF_THE_MACHINE):
            make = "mkdir -p" if os.path.isdir(path) else f"mkdir -p {stage.root}{os.path.dirname(path)}; touch"
            lines += [f"{make} {stage.root}{path}", f"mount --bind {path} {stage.root}{path}"]
        passed = {name: value for name, value in os.environ.items() if re.match(r"PIP_|.*_proxy$", name, re.IGNORECASE)}
        environ = {"HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", **passed, **stage.environ}
        inner = ["env", "-i", *(f"{name}={value}" for name, value in environ.items()), "sh", "-c"]
        step = f"cd {stage.config['workdir']} && {rest}"
        lines += [f"exec chroot {stage.root} {shlex.join([*inner, step])}"]
        subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-eu"], input="\n".join(lines), text=True, check=True
        )

    def _workdir(self, rest: str) -> None:
        self.stage.config["workdir"] = rest
        (self.stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _copy(self, rest: str) -> None:
        words = rest.split()
        source = self._stages[words.pop(0).partition("=")[2]].root if words[0].startswith("--from=") else None
        *names, target = words
        place = self.stage.root / os.path.join(self.stage.config["workdir"], target).lstrip("/")
        for name in names:
            origin = ROOT / name if source is None else source / name.lstrip("/")
            into = place / origin.name if target.endswith("/") else place
            if source is None:
                assert f"!{name}" in (ROOT / ".dockerignore").read_text().splitlines(), f".dockerignore hides {name}"
            into.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.so") if source is None else None
                shutil.copytree(origin, into, symlinks=True, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy2(origin, into)

    def _label(self, rest: str) -> None:
        self.stage.config["labels"] |= self._pairs(rest)

    def _env(self, rest: str) -> None:
        self.stage.environ |= self._pairs(rest)

    def _user(self, rest: str) -> None:
        self.stage.config["user"] = rest

    def _entrypoint(self, rest: str) -> None:
        self.stage.config["entrypoint"] = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        self.stage.config["cmd"] = json.loads(rest)

    def _expose(self, rest: str) -> None:
        self.stage.config["ports"].append(int(rest))

    def _pairs(self, rest: str) -> dict[str, str]:
        return {name: self.stage.text(value) for name, _, value in (w.partition("=") for w in shlex.split(rest))}


def main(directory: Path) -> None:
    """Leave the image in `directory`; its base stays from one time to the next."""
    directory.mkdir(parents=True, exist_ok=True)
    base = directory / "base"
    if not (base / "usr/bin/python").exists():
        shutil.rmtree(base, ignore_errors=True)
        bootstrap = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(base), MIRROR]
        subprocess.run(bootstrap, check=True, stdout=subprocess.DEVNULL)
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    build = Build(directory, {"VERSION": "0.1.0", "REVISION": revision, "CREATED": "2026-11-23T00:00:00Z"})
    stage = build.run((ROOT / "Dockerfile").read_text())
    shutil.rmtree(directory / "root", ignore_errors=True)
    stage.root.rename(directory / "root")
    (directory / "image.json").write_text(json.dumps({**stage.config, "env": stage.environ}, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
