"""Commands as processes of their own, forked from one that has the libraries: no moment of their lives is importing.

The servers that a command starts (of worker processes, of shared resources) are forked in the same way instead of
being started as a new Python; from there on they are what they always are. Linux only.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import multiprocessing.util
import os
import pkgutil
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import fervid.__main__

HEAVY = ("fervid.train", "fervid.live", "fervid.batch.ray", "fervid.storage.store", "fervid.cli.t", "fervid.web")
OTHERS = ("pandas", "typer.rich_utils", "rich.progress", "duckdb", "pyarrow.parquet", "matplotlib.backends.backend_agg")
for _imported in (*OTHERS, *(one.name for one in pkgutil.walk_packages(fervid.__path__, "fervid."))):
    if not _imported.startswith(HEAVY):
        with contextlib.suppress(ImportError):
            importlib.import_module(_imported)
FORKED = multiprocessing.get_context("fork")
STANDARD_STREAMS = 3


class Command:
    """A command that runs; what it says is kept in memory."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self._said = [os.memfd_create(name) for name in ("stdout", "stderr")]
        self.process = FORKED.Process(target=self._run, args=(arguments,))
        self.process.start()

    def _run(self, arguments: tuple[str, ...]) -> None:
        for number, file in enumerate(self._said, 1):
            os.dup2(file, number)
        vars(multiprocessing.util)["spawnv_passfds"] = _fork_server
        sys.argv = ["fervid", *arguments]
        sys.modules["__main__"] = fervid.__main__  # what workers import first
        fervid.__main__.main()

    def is_over_after(self, seconds: float) -> bool:
        self.process.join(seconds)
        return self.process.exitcode is not None

    def end(self) -> tuple[int, str, str]:
        """The exit code, stdout and stderr."""
        self.process.join()
        texts = [os.pread(file, 1 << 20, 0).decode() for file in self._said]
        for file in self._said:
            os.close(file)
        return self.process.exitcode or 0, texts[0], texts[1]


def run(arguments: tuple[str, ...]) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a command."""
    return Command(arguments).end()


def _fork_server(path: Any, arguments: Sequence[Any], kept: Iterable[int]) -> int:  # noqa: ARG001
    """Fork what `multiprocessing` would start as `python -c CODE`; returns the number of the process."""
    child = os.fork()
    if child:
        return child
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        multiprocessing.util._finalizer_registry.clear()  # type: ignore[attr-defined]
        _close_all_but({int(number) for number in kept})
        exec(os.fsdecode(arguments[-1]), {})
    finally:
        os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    before = STANDARD_STREAMS
    for number in (*sorted(kept), os.sysconf("SC_OPEN_MAX")):
        os.closerange(before, number)
        before = number + 1
