"""The program: `fervid`, or `python -m fervid`. Signals are heard before anything that takes a while is imported."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; an interrupt at any moment of it is one line and an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    from fervid import cli

    cli.main()


def _stop(number: int, _frame: FrameType | None) -> None:
    print("fervid: stopped; what is finished is kept, and the same command goes on from there", file=sys.stderr)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
