"""Run the `fervid` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "pipeline"
START = "import sys; sys.argv[0] = 'fervid'; from fervid.cli import main; main()"


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
        timeout=120,
        check=False,
    )
