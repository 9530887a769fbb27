"""Runs the containers of rendered manifests as a kubelet would, as far as a machine without a container engine can.

A container gets namespaces of its own for mounts and processes, in which its command is process 1; a root file system
that is read-only, with its volumes where the manifest mounts them; the user, group and lack of capabilities of its
security contexts; its environment and nothing of ours; the limits of its manifest. What differs from a real node:

* The network is that of the machine, so that the server of the tests is there; what listens does so on loopback.
* The memory limit holds for what each process allocates (RLIMIT_DATA), and `Container.memory` measures all of them; the
  files of the control group are there to be read, with no control group behind them.
* The image is the machine's own /usr with the Python of the tests, and the checkout in place of an installed wheel; or,
  when there is one, what the steps of the Dockerfile have made (tests/helm/build_image.py).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from helm_chart import ROOT, Manifest, only
from supervised import alive, until

OPEN_FILES = 1024
"""What nodes allow where nobody has said otherwise."""

_UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_CHECKOUT = "/opt/lua-fleet"
_PATH = "/opt/fleet/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OF_THE_MACHINE = ("/usr", "/etc/ssl")
_DEVICES = ("null", "zero", "full", "random", "urandom")


def require_namespaces() -> None:
    """Skip the test where containers cannot be made, with what is missing; it fails in CI."""
    missing = [name for name in ("unshare", "setpriv", "prlimit", "nsenter") if shutil.which(name) is None]
    if missing:
        reason = f"{', '.join(missing)} (util-linux) missing"
    elif subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        reason = "mount and process namespaces need root"
    else:
        return
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def quantity(text: str | int) -> int:
    """Bytes of a quantity such as 512Mi."""
    digits = str(text).rstrip("KMGi")
    return int(digits) * _UNITS[str(text)[len(digits) :]]


@dataclass
class Container:
    """A running container. `process` is the one that made its namespaces, and ends as process 1 of them does."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """What it has written."""
        return self.log_file.read_text()

    @property
    def first(self) -> int:
        """Its process 1, by the number that it has outside."""
        return int(until(lambda: self._children.read_text().split(), lambda: self.log)[0])

    @property
    def _children(self) -> Path:
        return Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

    def members(self) -> list[int]:
        """All its processes, by their numbers outside."""
        space = os.readlink(f"/proc/{self.first}/ns/pid")
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "ns/pid") == space:
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def memory(self) -> int:
        """Bytes that all its processes have resident, shared pages counted once."""
        total = 0
        for pid in self.members():
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
        return total

    def run(self, command: list[str], environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """`kubectl exec`: with the namespaces, the root, the user and the environment of the container."""
        pairs = Path(f"/proc/{self.first}/environ").read_bytes().decode().split("\0")
        given = {**dict(pair.split("=", 1) for pair in pairs if pair), **(environ or {})}
        user = Path(f"/proc/{self.first}").stat()
        enter = ["nsenter", f"--target={self.first}", "--mount", "--pid", "--root", "--wd"]
        switch = ["setpriv", f"--reuid={user.st_uid}", f"--regid={user.st_gid}", "--clear-groups"]
        inside = ["env", "-i", *(f"{name}={value}" for name, value in given.items()), *command]
        return subprocess.run([*enter, "--", *switch, *inside], capture_output=True, text=True, timeout=120)

    def terminate(self) -> None:
        """The TERM with which a kubelet begins the grace period."""
        os.kill(self.first, signal.SIGTERM)

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            # Process 1 takes all others of the namespace along. The death signal that unshare has given it is gone:
            # the kernel clears it when a process changes its user.
            first = [int(pid) for pid in self._children.read_text().split()]
            for pid in first:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            until(lambda: not any(map(alive, first)), lambda: self.log)


@dataclass
class Node:
    """Where the pods of a release run.

    Attributes:
        home: a directory of its own.
        objects: the rendered manifests: ConfigMaps are looked up there.
        secrets: files by name of the secret and key.
        image: a directory that build_image.py has filled; None is the machine's own files.
    """

    home: Path
    objects: list[Manifest]
    secrets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    image: Path | None = None
    containers: list[Container] = field(default_factory=list)

    def start(
        self,
        spec: dict[str, Any],
        container: dict[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Container:
        """Start a container of a pod, the first one unless told otherwise.

        environ: what a controller adds to the pod's environment.
        """
        chosen = container or spec["containers"][0]
        folder = self.home / f"{len(self.containers)}-{chosen['name']}"
        folder.mkdir()
        given = {variable["name"]: variable["value"] for variable in chosen.get("env", [])} | dict(environ or {})
        script = folder / "start.sh"
        script.write_text("\n".join(self._script(folder, spec, chosen, given)) + "\n")
        log_file = folder / "log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-eu", str(script)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )
        self.containers.append(Container(process, log_file))
        return self.containers[-1]

    def end(self) -> None:
        """End what still runs."""
        for container in self.containers:
            container.end()

    def _script(
        self, folder: Path, spec: dict[str, Any], container: dict[str, Any], environ: Mapping[str, str]
    ) -> list[str]:
        """What makes the container, run by root in the new namespaces."""
        root = folder / "root"
        root.mkdir()
        context = {**spec["securityContext"], **container["securityContext"]}
        assert context["readOnlyRootFilesystem"] and context["runAsNonRoot"]
        files, below, of_the_image = self._machine(folder, root) if self.image is None else self._built(folder, root)
        lines = ["mount --make-rprivate /", *files]
        lines += [f"mkdir -p {root}/{name}" for name in ("proc", "dev", "sys/fs/cgroup")]
        lines += [f"touch {root}/dev/{name}; mount --bind /dev/{name} {root}/dev/{name}" for name in _DEVICES]
        lines += [f"mount -t proc none {root}/proc"]
        lines += self._control_group(root, container["resources"]["limits"])
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            lines += self._mount(root, volumes[mount["name"]], mount, spec["securityContext"]["fsGroup"])
        # Last, for they may lie below the container's /tmp.
        lines += below
        lines += [f"mount -o remount,ro {root}"]
        limits = [
            f"--nofile={OPEN_FILES}",
            f"--data={quantity(container['resources']['limits']['memory'])}",
            "--core=0",
        ]
        user, group = context["runAsUser"], context["runAsGroup"]
        drop = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
        assert context["capabilities"] == {"drop": ["ALL"]} and context["allowPrivilegeEscalation"] is False
        switch = [
            "setpriv",
            f"--reuid={user}",
            f"--regid={group}",
            f"--groups={spec['securityContext']['fsGroup']}",
            *drop,
        ]
        whole = {**of_the_image, **environ}
        command = [*container["command"], *container.get("args", [])]
        inner = ["env", "-i", *(f"{name}={value}" for name, value in whole.items()), *command]
        enter = f"cd {shlex.quote(container.get('workingDir', '/'))} && exec {shlex.join(inner)}"
        lines += [f"exec chroot {root} {shlex.join(['prlimit', *limits, *switch, 'sh', '-c', enter])}"]
        return lines

    def _machine(self, folder: Path, root: Path) -> tuple[list[str], list[str], dict[str, str]]:
        """The machine in place of an image: what makes its files, what does so after the volumes, its environment."""
        lines = [f"mount -t tmpfs -o mode=755 none {root}", f"mkdir -p {root}/etc {root}/opt/fleet/bin"]
        lines += [
            f"ln -s usr/{name} {root}/{name}" for name in ("bin", "lib", "lib64", "sbin") if Path("/", name).exists()
        ]
        lines += [f"cp /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /etc/resolv.conf {root}/etc/"]
        program = f'#!/bin/sh\nPYTHONPATH={_CHECKOUT} exec {sys.executable} -m fleet "$@"\n'
        (folder / "fleet").write_text(program)
        lines += [f"cp {folder}/fleet {root}/opt/fleet/bin/fleet; chmod 755 {root}/opt/fleet/bin/fleet"]
        below: list[str] = []
        for place in dict.fromkeys([*_OF_THE_MACHINE, sys.base_prefix, sys.prefix]):
            below += _read_only(place, f"{root}{place}")
        below += _read_only(str(ROOT), f"{root}{_CHECKOUT}")
        return lines, below, {"PATH": _PATH, "PYTHONDONTWRITEBYTECODE": "1"}

    def _built(self, folder: Path, root: Path) -> tuple[list[str], list[str], dict[str, str]]:
        """The same of a built image: a layer of its own above it, in which the places of the mounts are made."""
        assert self.image is not None
        layer = folder / "layer"
        layer.mkdir()
        options = f"lowerdir={self.image}/root,upperdir={layer}/upper,workdir={layer}/work"
        lines = [f"mount -t tmpfs -o mode=755 none {layer}", f"mkdir {layer}/upper {layer}/work"]
        lines += [f"mount -t overlay -o {options} none {root}", f"cp /etc/hosts /etc/resolv.conf {root}/etc/"]
        environ: dict[str, str] = json.loads((self.image / "image.json").read_text())["env"]
        return lines, [], environ

    def _control_group(self, root: Path, limits: dict[str, Any]) -> list[str]:
        group = root / "sys/fs/cgroup"
        cpu = str(limits["cpu"])
        microseconds = int(cpu[:-1]) * 100 if cpu.endswith("m") else int(cpu) * 100_000
        return [
            f"echo {quantity(limits['memory'])} > {group}/memory.max",
            f"echo {microseconds} 100000 > {group}/cpu.max",
        ]

    def _mount(self, root: Path, volume: dict[str, Any], mount: dict[str, Any], group: int) -> list[str]:
        place = f"{root}{mount['mountPath']}"
        if "emptyDir" in volume and volume["emptyDir"].get("medium") == "Memory":
            size = quantity(volume["emptyDir"]["sizeLimit"])
            return [f"mkdir -p {place}", f"mount -t tmpfs -o size={size},mode=2777,gid={group} none {place}"]
        source = self.home / "volumes" / volume["name"]
        if not source.exists():
            self._fill(source, volume, group)
        if mount.get("readOnly"):
            return _read_only(str(source), place)
        return [f"mkdir -p {place}", f"mount --bind {source} {place}"]

    def _fill(self, source: Path, volume: dict[str, Any], group: int) -> None:
        source.mkdir(parents=True)
        os.chown(source, 0, group)
        source.chmod(0o2777)
        if "configMap" in volume:
            data = {
                key: text.encode()
                for key, text in only(self.objects, "ConfigMap", volume["configMap"]["name"])["data"].items()
            }
            items, mode = volume["configMap"].get("items"), volume["configMap"].get("defaultMode", 0o644)
        elif "secret" in volume:
            data = self.secrets[volume["secret"]["secretName"]]
            items, mode = volume["secret"].get("items"), volume["secret"].get("defaultMode", 0o644)
        else:
            return
        items = items or [{"key": key, "path": key} for key in data]
        # As the kubelet does it: files in a hidden directory, links to them, so that an update is one rename.
        for item in items:
            file = source / "..2026_11_23" / item["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            # The manifest listens on all interfaces of its pod, which here is the machine.
            file.write_bytes(data[item["key"]].replace(b"0.0.0.0", b"127.0.0.1"))
            os.chown(file, 0, group)
            file.chmod(mode)
        (source / "..data").symlink_to("..2026_11_23")
        for name in {item["path"].split("/")[0] for item in items}:
            (source / name).symlink_to(f"..data/{name}")


def _read_only(source: str, place: str) -> list[str]:
    """A mount of `source` that nothing can be written to."""
    return [f"mkdir -p {place}", f"mount --bind {source} {place}", f"mount -o remount,ro,bind {place}"]


StartNode = Callable[[Any], Node]
"""Makes the node of a release with these values."""
