"""The Dockerfile, as far as it can be checked where nothing builds images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from helm_chart import ROOT, pod_of, render


def test_lint() -> None:
    program = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_what_it_copies_exists_and_the_user_is_that_of_the_chart() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copies = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line]
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    for name in (name for names in copies for name in names):
        assert (ROOT / name).exists() and f"!{name}" in allowed
    context = pod_of(render())["spec"]["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in text
