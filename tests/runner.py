"""Run the `fervid` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "pipeline"
START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"

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
    *arguments: str, cwd: Path | None = None, environment: dict[str, str] | None = None, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """The finished command, its output as text. `before` is Python that runs first, to spoil something on purpose."""
    return subprocess.run(
        [sys.executable, "-c", f"{before}\n{START}", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(SOURCE)} | (environment or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def counts_of(stderr: str) -> str:
    """How many videos of a batch ended in which way: the first part of its last line."""
    return stderr.splitlines()[-1].partition("; ")[0]
