"""Runs the benchmark suites in several passes on one CPU and prints a table of ratios. Usage: make bench."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import temporalio
from cpus import ALLOWED, allowed, on_cpus
from report import merge, print_table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULT = ROOT / "build" / "bench.json"

PASSES = 3

# Compared with the tests: no time limit, one process, and the suites' own order.
PYTEST = (
    *("-m", "pytest", "-q", "-rs", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=0"),
    *("--benchmark-enable", "--benchmark-quiet"),
)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", help="names of suites, such as activation; all when none is given")
    parser.add_argument("--passes", type=int, default=PASSES, help="how often to measure (default: %(default)s)")
    parser.add_argument("--cpu", type=int, help="the CPU to run on (default: the last one that this process may use)")
    parser.add_argument("-k", dest="only", metavar="EXPRESSION", help="only the benchmarks that match, as pytest's -k")
    return parser.parse_args()


def suite_files(names: list[str]) -> list[Path]:
    """The files of the suites. Exits with what there is when a name is wrong."""
    known = {file.stem.removeprefix("bench_"): file for file in sorted(HERE.glob("bench_*.py"))}
    for name in names:
        if name not in known:
            raise SystemExit(f"there is no suite {name!r}: expected {', '.join(known)}")
    return [known[name] for name in names or known]


def run_pass(number: int, files: list[Path], only: str | None, cpu: int) -> dict[str, Any]:
    """One pass in a process of its own, every second one in the opposite order; its pytest-benchmark report."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        command = [sys.executable, *PYTEST, f"--benchmark-json={report}", *map(str, files)]
        if number % 2:
            command.append("--reverse")
        if only:
            command += ["-k", only]
        # Children, the recording server among them, inherit the CPU.
        with on_cpus([cpu]):
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0 or not report.exists():
            sys.stderr.write(done.stdout)
            raise SystemExit(f"the benchmarks failed (pytest exit code {done.returncode}); see above")
        if number == 0:
            sys.stderr.writelines(line for line in done.stdout.splitlines(keepends=True) if line.startswith("SKIPPED"))
        loaded: dict[str, Any] = json.loads(report.read_text())
        return loaded


def main() -> None:
    """Run, print, and keep the result."""
    args = arguments()
    files = suite_files(args.suites)
    cpu = allowed()[-1] if args.cpu is None else args.cpu
    # The one to measure on comes last.
    os.environ[ALLOWED] = ",".join(map(str, [*(other for other in allowed() if other != cpu), cpu]))
    reports, load = [], []
    for number in range(args.passes):
        load.append(os.getloadavg()[0])
        print(f"pass {number + 1} of {args.passes} on CPU {cpu}, load {load[-1]:.2f}", file=sys.stderr)
        reports.append(run_pass(number, files, args.only, cpu))
    groups = merge(reports)
    print_table(groups, args.passes)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {
                "python": platform.python_version(),
                "machine": reports[0]["machine_info"]["cpu"].get("brand_raw", platform.processor()),
                "datetime": reports[0]["datetime"],
                "passes": args.passes,
                "cpu": cpu,
                "cpus": len(allowed()),
                "temporalio": temporalio.__version__,
                "load": load,
                "groups": [group.as_json() for group in groups],
            },
            indent=1,
        )
    )
    print(f"written to {RESULT.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
