"""Output for a terminal: tables in its width, and colours; plain lines in a pipe. Loads rich on demand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TextIO

WIDEST = 32
"""Columns before the last one are cut to this many characters in a narrow terminal."""


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether output (by default stdout) goes to a terminal."""
    return (stream or sys.stdout).isatty()


def print_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    plain: Callable[[Sequence[str]], str],
    wraps_last: bool = False,
) -> None:
    """Print a table, one line per row; in a pipe, only `plain` of each row.

    Text beyond the terminal's width is cut from the last column, or wrapped in it. NO_COLOR disables
    colours.
    """
    if not is_terminal():
        for row in rows:
            print(plain(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    *fixed, last = columns
    for number, column in enumerate(fixed):
        width = max(len(column), *(len(row[number]) for row in rows), 1)
        style = "cyan" if number == 0 else ""
        table.add_column(column, no_wrap=True, overflow="ellipsis", min_width=min(width, WIDEST), style=style)
    table.add_column(last, no_wrap=not wraps_last, overflow="fold" if wraps_last else "ellipsis", ratio=1)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


class Rows:
    """A table whose rows are printed as they come: one line each, cut to the current width of the terminal.

    `columns` are names with widths in characters; the last one takes the rest. The style of a cell, such as
    ("3", "red"), is used if colours are on.
    """

    def __init__(self, columns: Sequence[tuple[str, int]]) -> None:
        from rich.console import Console

        self._console = Console()
        self._widths = [width for _, width in columns[:-1]]
        self._header = [(name, "bold") for name, _ in columns]

    def add(self, cells: Sequence[tuple[str, str]]) -> None:
        """Print one row, below the header when it is the first."""
        if self._header:
            self._print(self._header)
            self._header = []
        self._print(cells)

    def _print(self, cells: Sequence[tuple[str, str]]) -> None:
        from rich.text import Text

        line = Text(no_wrap=True, overflow="ellipsis")
        for (text, style), width in zip(cells, self._widths, strict=False):
            cell = Text(text, style=style)
            cell.truncate(width, overflow="ellipsis", pad=True)
            line.append_text(cell).append("  ")
        line.append(*cells[-1])
        line.truncate(self._console.width, overflow="ellipsis")
        self._console.print(line, highlight=False, soft_wrap=True)
