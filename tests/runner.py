"""Run the `fervid` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from multiprocessing import util
from pathlib import Path

import spare
from forked import Forked, can_fork

SOURCE = Path(__file__).resolve().parents[1] / "pipeline"
START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"

TIMEOUT_SECONDS = 300

HELD_TO_PERMISSIONS = """
import ctypes, os, sys
if os.geteuid() == 0 and not os.environ.get("FERVID_TEST_HELD"):
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.environ["FERVID_TEST_HELD"] = "1"
    os.execv(sys.executable, sys.orig_argv)
"""
"""Python that lets a process of root's meet permissions like any other. Linux only."""


def run_fervid(
    *arguments: str,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
    before: str = "",
    is_fresh: bool = False,
) -> subprocess.CompletedProcess[str]:
    """The finished command, its output as text. `before` is Python that runs first, to spoil something on purpose.

    It is a fork of a process that has imported everything, unless that is another beginning than the test asks for.
    """
    changed = {"PYTHONPATH": str(SOURCE)} | (environment or {})
    if not before and not is_fresh and can_fork(environment or {}):
        return _forked().run(list(arguments), os.environ | changed, cwd, TIMEOUT_SECONDS)
    return subprocess.run(
        [sys.executable, "-c", f"{before}\n{START}", *arguments],
        cwd=cwd,
        env=os.environ | changed,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def lend_fork_servers() -> None:
    """Have this process start its fork servers as forks, where a fresh one would be no different."""

    def start(path: str, arguments: Sequence[str | bytes], passed: Iterable[int]) -> int:
        files, pid = list(passed), None
        has_own_path = os.environ.get("PYTHONPATH", str(SOURCE)) != str(SOURCE)
        if spare.is_fork_server(arguments) and can_fork(()) and not has_own_path:
            pid = _start_forked().start_fork_server(str(arguments[-1]), files)
        return pid or spare.spawn(path, arguments, files)

    util.spawnv_passfds = start


def _forked() -> Forked:
    """The process that forks commands, another one when this process has changed what an interpreter starts with."""
    if not (found := _start_forked()).fits:
        found.close()
        _start_forked.cache_clear()
        found = _start_forked()
    return found


@cache
def _start_forked() -> Forked:
    return Forked(SOURCE)


def counts_of(stderr: str) -> str:
    """How many videos of a batch ended in which way: the first part of its last line."""
    return stderr.splitlines()[-1].partition("; ")[0]
