"""Where code belongs that perf(1) found running: our own, Temporal's, Python's, the kernel's."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

PROFILE = Path(__file__).resolve().parent.parent / "build" / "profile.json"
"""What profile_workers.py found: {contender: {place: milliseconds of a workflow}}."""

PLACES = {
    "Lua, native core": ("_core.", "lua55."),
    "Temporal's core (Rust)": ("temporal_sdk_bridge",),
    "kernel": ("[kernel", "[vdso", "[guest"),
    "protobuf (upb)": ("_message.",),
}
"""What a shared object's name contains; all others are Python with its libraries."""
PYTHON = "Python, its libraries, libc"


def shares(data: Path) -> dict[str, float]:
    """The part of the samples of a perf.data file that is in each place."""
    command = ("perf", "report", "-i", str(data), "--stdio", "-F", "overhead,dso", "-t", ";")
    report = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found: Counter[str] = Counter()
    for line in report.stdout.splitlines():
        share, separator, name = line.partition(";")
        if separator and share.strip().endswith("%"):
            found[_place(name)] += float(share.strip().removesuffix("%")) / 100
    return found


def _place(shared_object: str) -> str:
    for name, parts in PLACES.items():
        if any(part in shared_object for part in parts):
            return name
    return PYTHON
