"""Commands over several runs continue after a run that cannot be used."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fervid.base.printable import counted, one_line
from fervid.errors import InputError, OutputInUse
from fervid.run.bad_values import BAD_VALUES, bad_values

if TYPE_CHECKING:
    from fervid.run.handle import Run


def runs_in(named: Sequence[str | Path], *, with_superseded: bool) -> list[Path]:
    """The runs at or below the given paths; superseded ones only if wanted, or given themselves.

    Says how many are left out. Raises InputError for a path without runs, or when all are superseded.
    """
    from fervid.run.find import find_run_folders
    from fervid.run.moved import current_runs

    folders = find_run_folders(named)
    if with_superseded:
        return folders
    current, superseded = current_runs(folders, map(Path, named))
    say_left_out(len(superseded), len(current))
    return current


def say_left_out(n_superseded: int, n_current: int) -> None:
    """Print how many runs are left out as superseded. Raises InputError when nothing else is there."""
    if not n_superseded:
        return
    left_out = counted(n_superseded, "superseded run")
    reason = "the video at that path was replaced by another one since"
    if not n_current:
        raise InputError(f"{left_out} and no other: {reason}. Add --superseded to include them.")
    print(f"fervid: {left_out} left out: {reason} (--superseded includes them)", file=sys.stderr)


class Refusals:
    """Prints the error of each unusable run immediately, and makes the command fail at its end."""

    def __init__(self, n_runs: int) -> None:
        self._n_runs, self._n_refused, self._n_in_use = n_runs, 0, 0
        self._last: Path | None = None

    @contextmanager
    def noted(self, folder: Path) -> Iterator[None]:
        """Wraps the work on one run: what is wrong with it is printed and counted; with a single run it is raised."""
        try:
            yield
        except (InputError, OutputInUse, *BAD_VALUES) as problem:
            error = problem if isinstance(problem, InputError | OutputInUse) else bad_values(folder, problem)
            if self._n_runs == 1:
                raise error from None
            self._n_refused += folder != self._last
            self._n_in_use += isinstance(error, OutputInUse)
            self._last = folder
            print(f"fervid: {one_line(str(error))}", file=sys.stderr)

    def opened(self, folders: Sequence[Path]) -> list[Run]:
        """The runs in some folders, without those that cannot be opened."""
        from fervid.run.handle import open_run

        runs = []
        for folder in folders:
            with self.noted(folder):
                runs.append(open_run(folder))
        return runs

    def check(self) -> None:
        """At the end. Raises InputError when any run was refused, OutputInUse when all of those were only in use."""
        if not self._n_refused:
            return
        kind = OutputInUse if self._n_in_use == self._n_refused else InputError
        raise kind(f"{self._n_refused} of {self._n_runs} runs could not be used; see the lines above.")
