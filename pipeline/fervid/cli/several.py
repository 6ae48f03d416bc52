"""For a command about several runs: one that cannot be used costs itself alone, not those after it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fervid.base.printable import one_line
from fervid.errors import InputError


class Refusals:
    """Prints at once what is wrong with one of several runs, and lets the command fail at its end."""

    def __init__(self, n_runs: int) -> None:
        self._n_runs, self._n_refused = n_runs, 0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Wraps the work on one run: an InputError is printed and counted; with a single run it is raised."""
        try:
            yield
        except InputError as problem:
            if self._n_runs == 1:
                raise
            self._n_refused += 1
            print(f"fervid: {one_line(str(problem))}", file=sys.stderr)

    def check(self) -> None:
        """At the end. Raises InputError when any run was refused."""
        if self._n_refused:
            raise InputError(f"{self._n_refused} of {self._n_runs} runs could not be used; the lines above say why.")
