"""Counts the instructions of the native hot paths and compares them with those recorded in guard.json.

Usage: make guard, or make guard-record after a change that is meant to cost or to save instructions. Times are noise on
a shared machine; the instructions of the same work, counted by callgrind, differ by one percent from run to run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from guard_work import OPERATIONS, REFERENCE

from fleet import _core

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "guard"
RECORD = HERE / "guard.json"

SAME, OTHER = 0.05, 0.30
"""By how much a count may exceed the recorded one: on the toolchain of the record, and on another one.

Runs on one toolchain differ by one percent (the seed of Python's hashes), processors by two (the C library picks its
memcpy and memcmp by them). Python 3.12 takes 1 to 8 percent fewer than 3.11, and 27 percent fewer for a state: on
another toolchain the guard only sees what makes a path a third longer, until somebody records that toolchain too.
"""

REFERENCE_TOLERANCE = 0.02
"""The reference is none of our code. When its count is another, the VM is another than the toolchain says."""

Counts = dict[str, float]


def toolchain() -> str:
    """What the counts depend on beside our own code."""
    binary = Path(_core.__file__).read_bytes()
    compiler = re.search(rb"(GCC: \([^)]*\) [0-9.]+|clang version [0-9.]+)", binary)
    parts = (
        platform.machine() + (" with AVX2" if "avx2" in Path("/proc/cpuinfo").read_text().split() else ""),
        f"CPython {sys.version_info.major}.{sys.version_info.minor}",
        re.sub(r": \(.*\)", "", compiler[1].decode()) if compiler else "unknown compiler",
        " ".join(platform.libc_ver()),
        f"lupa {version('lupa')}",
    )
    return ", ".join(parts)


def count() -> Counts:
    """Instructions of one operation of each case. Exits when callgrind or a compiler is missing."""
    for tool, package in (("valgrind", "valgrind"), ("cc", "gcc")):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not installed: make valgrind (or apt-get install {package})")
    BUILD.mkdir(parents=True, exist_ok=True)
    marks, out = BUILD / "marks.so", BUILD / "callgrind.out"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", marks, HERE / "guard_marks.c"], check=True)
    command = (
        *("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--combine-dumps=yes"),
        *(f"--callgrind-out-file={out}", sys.executable, str(HERE / "guard_work.py"), str(marks)),
    )
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        raise SystemExit(f"the work could not be counted (exit code {done.returncode}); see above")
    found = re.findall(r"^desc: Trigger: Client Request: ([^\n]+)$.*?^totals: (\d+)$", out.read_text(), re.M | re.S)
    totals = {name: int(total) for name, total in found}
    return {name: totals[name] / operations for name, operations in OPERATIONS.items()}


def compare(counts: Counts, recorded: Counts, tolerance: float) -> list[str]:
    """Prints a line for each case; returns those that have become longer. Counts are relative to the reference."""
    scale = recorded[REFERENCE] / counts[REFERENCE]
    longer = []
    for name, value in counts.items():
        before = recorded.get(name)
        if before is None:
            print(f"  {name:<30} {value:>12,.0f}  is not recorded")
            longer.append(name)
            continue
        change = value * scale / before - 1
        word = "  TOO MANY" if change > tolerance else "  fewer: record them" if change < -tolerance else ""
        print(f"  {name:<30} {value:>12,.0f}  recorded {before:>12,.0f}  {change:+7.1%}{word}")
        if change > tolerance:
            longer.append(name)
    return longer


def chosen(records: dict[str, Counts], here: str, reference: float) -> tuple[str, float] | None:
    """The toolchain to compare with and the tolerance; None when there is none for this processor."""
    machine = here.partition(",")[0].split()[0]
    same = records.get(here)
    if same is not None and abs(reference / same[REFERENCE] - 1) <= REFERENCE_TOLERANCE:
        return here, SAME
    name = here if same is not None else next((name for name in records if name.startswith(machine)), None)
    return (name, OTHER) if name is not None else None


def main() -> None:
    """Compare, or record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="make these counts the recorded ones of this toolchain")
    args = parser.parse_args()
    records: dict[str, Counts] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    here, counts = toolchain(), count()
    if args.record:
        records[here] = {name: round(value, 1) for name, value in counts.items()}
        RECORD.write_text(json.dumps(records, indent=2) + "\n")
        print(f"recorded for {here}")
        return
    choice = chosen(records, here, counts[REFERENCE])
    if choice is None:
        print(f"nothing is recorded for a processor like {here}: make guard-record")
        return
    name, tolerance = choice
    print(f"instructions of one operation, {here}")
    if tolerance == OTHER:
        print(f"compared with {name}: another toolchain, so that a difference up to {OTHER:.0%} says nothing")
    longer = compare(counts, records[name], tolerance)
    if longer:
        raise SystemExit(
            f"{', '.join(longer)}: more than {tolerance:.0%} above the record. build/guard/callgrind.out has the"
            " functions (callgrind_annotate). If it is meant to cost that: make guard-record, and say why in the"
            " commit."
        )


if __name__ == "__main__":
    main()
