"""Run a command and say what its whole process tree cost: CPU seconds, wall seconds and peak memory. Linux alone.

Memory is the sum of the proportional set sizes of all processes of the tree, looked at every 100 ms, so that pages that
they share count once. CPU time is that of every process which ended, whoever its parent was: orphans come to this one.
Knows nothing of what the command does. Used as a program by itself, so that nothing else is among its children.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY_SECONDS = 0.1
PR_SET_CHILD_SUBREAPER = 36
KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command cost, and what it printed."""

    cpu_seconds: float
    wall_seconds: float
    peak_mib: float
    stdout: str


def cost_of(command: list[str], *, environment: dict[str, str] | None = None) -> Cost:
    """Run a command in a tree of its own. Raises RuntimeError with its last words when it fails."""
    done = subprocess.run(
        [sys.executable, __file__, *command],
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed ({done.returncode}): {done.stderr[-1500:]}")
    return Cost(**json.loads(done.stdout))


def _tree(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def _pss_kib(process: int) -> int:
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    started = time.perf_counter()
    child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
    own, peak, is_done = os.getpid(), 0, threading.Event()

    def look() -> None:
        nonlocal peak
        while not is_done.wait(LOOK_EVERY_SECONDS):
            peak = max(peak, sum(_pss_kib(process) for process in _tree(own) if process != own))

    watcher = threading.Thread(target=look)
    watcher.start()
    printed, _ = child.communicate()
    wall = time.perf_counter() - started
    is_done.set()
    watcher.join()
    while True:  # orphans that came to this process
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "wall_seconds": wall,
        "peak_mib": peak / KIB_PER_MIB,
        "stdout": printed,
    }
    print(json.dumps(cost))
    sys.exit(child.returncode)


if __name__ == "__main__":
    _main()
