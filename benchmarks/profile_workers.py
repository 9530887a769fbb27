"""Where the workers of bench_end_to_end.py spend their CPU time, as perf(1) sees it. Usage: make bench-profile"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
from pathlib import Path

from bench_end_to_end import CONTENDERS, IN_FLIGHT, WORKFLOWS, Bench, worker
from cpus import allowed, on_cpus
from places import PLACES, PROFILE, PYTHON, shares

from fleet.cli.exit import leave

ATTEMPTS = 5


async def sampling(pid: int, data: Path) -> asyncio.subprocess.Process:
    """perf, which samples a process into a file. It gives up when a thread ends while it attaches: again then."""
    command = ("perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-o", str(data), "-p", str(pid))
    for _ in range(ATTEMPTS):
        with on_cpus(allowed()):
            perf = await asyncio.create_subprocess_exec(*command)
        await asyncio.sleep(0.5)
        if perf.returncode is None:
            return perf
    raise SystemExit(f"perf has ended by itself {ATTEMPTS} times, exit code {perf.returncode}; see above")


async def profile(bench: Bench, contender: str) -> dict[str, float]:
    """Milliseconds of a workflow by place."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "perf.data"
        async with worker(contender, bench.address) as pid:
            await bench.run_workflows(IN_FLIGHT)
            perf = await sampling(pid, data)
            spent = await bench.round(pid)
            perf.send_signal(signal.SIGINT)
            await perf.wait()
        return {name: 1e3 * spent.cpu / WORKFLOWS * share for name, share in shares(data).items()}


async def all_profiles(bench: Bench) -> dict[str, dict[str, float]]:
    """Of all contenders, one after the other."""
    return {contender: await profile(bench, contender) for contender in CONTENDERS}


def main() -> None:
    """Print a table, and keep it."""
    if shutil.which("perf") is None:
        raise SystemExit("perf is not installed: apt-get install linux-perf")
    with on_cpus(allowed()[:-1] or allowed()):
        bench = Bench()
        profiles = bench.runner.run(all_profiles(bench))
        bench.close()
    places = [*PLACES, PYTHON]
    print("ms per workflow", *places, "all", sep="\t")
    for contender, times in profiles.items():
        print(contender, *(f"{times.get(name, 0):.2f}" for name in places), f"{sum(times.values()):.2f}", sep="\t")
    PROFILE.write_text(json.dumps(profiles, indent=1))


if __name__ == "__main__":
    main()
    leave(0)
