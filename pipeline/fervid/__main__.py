"""The program: `fervid`, or `python -m fervid`. Signals are heard before anything that takes a while is imported."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from fervid.base.arrow import without_pandas
from fervid.base.interrupt import stop_text


def main() -> None:
    """Run the command line; an interrupt at any moment of it is one line and an exit code."""
    # Read by NumPy's import. Threads for the small matrices here wait for each other by spinning: `fervid motion fit`
    # took 43 CPU seconds with two of them, and one with one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    without_pandas()
    from fervid import cli

    cli.main()


def _stop(number: int, _frame: FrameType | None) -> None:
    if text := stop_text():
        print(f"fervid: {text}", file=sys.stderr)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
