"""Handles invalid values in a run: one InputError for that run.

The checks of manifests and hashes meet damage; a run of an earlier version has fewer of them, and one of somebody
else's making may fit its hashes and still hold anything.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from fervid.errors import InputError

BAD_VALUES = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def bad_values(folder: Path, problem: BaseException) -> InputError:
    """The error as one of input, in a line; with --debug its traceback is printed."""
    if os.environ.get("FERVID_DEBUG"):
        traceback.print_exception(problem, file=sys.stderr)
    text = str(problem).partition("\n")[0]
    return InputError(
        f"{folder} has values that no analysis writes ({type(problem).__name__}: {text}). Run `fervid verify` on it; "
        "if it is intact, run again with --debug and report this."
    )
