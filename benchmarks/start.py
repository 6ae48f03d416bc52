"""What it costs to start: CPU seconds of `import fervid` and of `fervid --help` over a bare interpreter.

    python benchmarks/start.py

Each is run in turn with the others, 15 times; the median counts, user and system time of the process together, with the
compiled files there. Exits with 1 above the limits.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

COMMANDS = {
    "bare Python": ["-c", "pass"],
    "import fervid": ["-c", "import fervid"],
    "fervid --help": ["-m", "fervid", "--help"],
}
LIMITS = {"import fervid": 0.05, "fervid --help": 0.25}
"""CPU seconds: of the import over bare Python, of the help as a whole."""


def cpu_seconds(arguments: list[str]) -> float:
    """User and system time of a Python process."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs + 1):
        for name, arguments in COMMANDS.items():
            times[name].append(cpu_seconds(arguments))
    medians = {name: statistics.median(found[1:]) for name, found in times.items()}  # the first round compiles
    found = {
        "import fervid": medians["import fervid"] - medians["bare Python"],
        "fervid --help": medians["fervid --help"],
    }
    print(f"Python {sys.version.split()[0]}, median of {runs}: bare Python {medians['bare Python']:.3f} CPU s")
    for name, seconds in found.items():
        print(f"{name:14s} {seconds:.3f} CPU s{' more' * (name == 'import fervid')}, limit {LIMITS[name]:.2f}")
    return int(any(seconds > LIMITS[name] for name, seconds in found.items()))


if __name__ == "__main__":
    sys.exit(main())
